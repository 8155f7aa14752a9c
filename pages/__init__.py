"""The pages of the app; each calls scinet and shows what it returns."""
