// Command handler serves one function, behind of-watchdog in HTTP mode. It is compiled inside the image, where the Dockerfile
// has put the function's folder at "function" below the root of the one module.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"

	function "github.com/castor-iot/castor/function"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/platform"
)

func main() {
	sandbox.Main() // of function drivers, which starts itself to run drivers
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := platform.Serve(ctx, os.Getenv, function.Handle); err != nil {
		log.Fatal(err)
	}
}
