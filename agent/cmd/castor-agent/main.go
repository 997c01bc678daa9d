// Command castor-agent is the IoT device client as a program: it brings the machine it runs on into the platform and
// reports its metrics. What it does is in package agent.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// version is set when a release is built: -ldflags "-X main.version=v1.2.3".
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "castor-agent:", err)
		os.Exit(1)
	}
}
