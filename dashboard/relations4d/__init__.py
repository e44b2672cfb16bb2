"""The 4D view: what rests on what, by layer, instrument and time, as a drawing in space, a picture and tables."""
