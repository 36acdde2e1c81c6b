"""Where Julia is, how it is started and asked. Importing this loads nothing: the installer runs anywhere."""
