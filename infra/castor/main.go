// Command castor is the platform's one program for people: `castor up` runs the whole platform on this machine, `castor init`
// and `castor serve` make the secrets and the user gateway of one that runs as many processes, the other commands are an
// operator's and owner's way to it, and `castor replay` plays recorded devices. It only parses arguments and prints; the work is
// in packages up, secrets, serve, cli and replay.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/castor-iot/castor/infra/castor/cli"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/spf13/cobra"
)

// version is set when the program is built.
var version = "dev"

func main() {
	sandbox.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := rootCommand()
	if err := root.ExecuteContext(ctx); err != nil {
		var unwell cli.Unwell
		if errors.As(err, &unwell) {
			os.Exit(unwell.ExitCode())
		}
		fmt.Fprintln(os.Stderr, "castor:", cli.Plain(err.Error()))
		os.Exit(1)
	}
}

// rootCommand is the whole command line.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "castor",
		Short:         "Device twins for people who run fleets of devices as a service",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Example: `  castor up                                   run the whole platform on this machine
  castor login                                sign in to a platform
  castor twin list                            see what there is
  castor history host-1 cpu.percent           what it measured in the last hour
  castor rule create host "cpu.percent > 80 for 1m clear 70" --severity critical`,
	}
	root.AddCommand(upCommand(), initCommand(), serveCommand(), healthCommand())
	root.AddCommand(cli.Commands(os.Getenv)...)
	if gateway, _, err := root.Find([]string{"gateway"}); err == nil {
		gateway.AddCommand(joinCommand())
	}
	cli.Usage(root)
	return root
}
