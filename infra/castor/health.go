package main

import (
	"cmp"
	"os"
	"strings"

	"github.com/castor-iot/castor/shared/metrics"
	"github.com/spf13/cobra"
)

func healthCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "health",
		Short: "Ask the user gateway of this container whether it is ready",
		Long: `Asks the castor serve that runs on this machine or in this container whether it is ready. It exits with 0 if so, else with 1
and why not; for health checks of containers. CASTOR_METRICS is the address that the gateway has for /readyz (default :9102).

castor doctor looks at a whole deployment.`,
		Example: "  castor health",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return metrics.Ask(cmd.Context(), cmp.Or(strings.TrimSpace(os.Getenv("CASTOR_METRICS")), ":9102"))
		},
	}
}
