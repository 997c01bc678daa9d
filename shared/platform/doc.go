// Package platform is what a function or connector stands on: the store, the bus, the object store, the clock, its secrets,
// a client for the other functions, and the one place where tokens are checked and grants are asked. It is the only package
// that knows the implementations; it reads the environment so that nothing else has to. It holds no rule of the domain.
package platform
