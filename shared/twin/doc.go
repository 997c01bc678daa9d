// Package twin is the vocabulary of the platform: what a twin is, of which kinds there are (instance, type, aggregate;
// paper 4.8: DTI, TDTA, DTA), of which parts one consists and which changes to them are allowed. It knows nothing of HTTP,
// MongoDB or NATS; packages that do import it, never the reverse.
package twin
