"""The app's pages; app.py runs them."""
