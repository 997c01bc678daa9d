// This file keeps the template out of the module above it: it compiles only where the Dockerfile has laid it out.
module handler

go 1.26
