package api

// Version is the platform's, of which this code is. It grows with every release; functions and programs of one platform should
// have the same. Between two neighbours everything works, so that a platform can be renewed function by function.
const Version = "0.6.0"

// HeaderVersion is on every answer of a function: the version it is of.
const HeaderVersion = "X-Castor-Version"
