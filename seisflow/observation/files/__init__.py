"""Data of a survey from files: SEG-Y, NetCDF, zarr."""
