// Package local starts the servers that a platform on one machine needs beside its own store: NATS JetStream and an S3
// object store, both in this process, both below the data directory. It is for `castor up` and for tests; a real
// deployment has servers of its own and nothing here takes part in it.
package local
