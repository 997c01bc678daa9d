package console

// Serve makes the function with an interface that a test has built.
var Serve = serve
