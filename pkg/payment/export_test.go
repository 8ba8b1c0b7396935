package payment

// Classify shows the tests which evidence an observation is.
var Classify = classify
