"""tomoinr in napari; `napari.yaml` says what there is."""
