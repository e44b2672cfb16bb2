"""The tear sheet: one HTML file that works offline, and one PNG. Plotly and Matplotlib are imported when it is made."""
