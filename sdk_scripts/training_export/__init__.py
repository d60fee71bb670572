"""Labels -> training sets: what people settled on, how sure that is, where it comes from, and a split that leaks
nothing."""
