"""The frame of every page: numbers and times as text, charts as SVG, who may open what."""
