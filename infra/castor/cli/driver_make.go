package cli

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/layout"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func driverBench() *cobra.Command {
	var lasts time.Duration
	c := &cobra.Command{Use: "bench [DIR]", Short: "How fast a driver is with the messages of its tests, one after the other", Args: cobra.MaximumNArgs(1),
		Example: "  castor driver bench --for 5s",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			d, err := layout.Folder(dir)
			if err != nil {
				return err
			}
			if len(d.Tests) == 0 {
				return fmt.Errorf("%s has no tests, whose messages are needed", layout.FileName)
			}
			if lasts < 100*time.Millisecond || lasts > 5*time.Minute {
				return errors.New("--for must be 100ms to 5m")
			}
			pool, err := workers(0)
			if err != nil {
				return err
			}
			defer pool.Close()
			codec, err := pool.Open(d)
			if err != nil {
				return err
			}
			const batch = 100
			calls := make([]driver.Call, batch)
			for i := range calls {
				calls[i] = d.Tests[i%len(d.Tests)].Call
			}
			var took []time.Duration
			began := time.Now()
			for time.Since(began) < lasts {
				at := time.Now()
				if _, err := codec.Run(cmd.Context(), calls); err != nil {
					return err
				}
				took = append(took, time.Since(at)/batch)
			}
			all := time.Since(began)
			slices.Sort(took)
			fmt.Fprintf(cmd.OutOrStdout(), "%.0f calls/s, %v a call in the middle, %v at the 99th percentile of batches of %d\n",
				float64(len(took)*batch)/all.Seconds(), took[len(took)/2].Round(100*time.Nanosecond), took[len(took)*99/100].Round(100*time.Nanosecond), batch)
			return nil
		}}
	c.Flags().DurationVar(&lasts, "for", 3*time.Second, "how long to measure")
	return c
}

//go:embed scaffold
var scaffolds embed.FS

func driverNew() *cobra.Command {
	var kind string
	c := &cobra.Command{Use: "new NAME", Short: "Begin a driver: a folder with code and a test that pass", Args: cobra.ExactArgs(1),
		Example: "  castor driver new acme-th1\n  castor driver new acme-th1 --kind declarative",
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if twin.ID(name).Valid() != nil {
				return fmt.Errorf("name %.80q must be 1 to 64 letters, digits, '.', '-' or '_', beginning with a letter or digit", name)
			}
			from, err := fs.Sub(scaffolds, "scaffold/"+kind)
			if err != nil {
				return err
			}
			files, err := fs.ReadDir(from, ".")
			if err != nil {
				return fmt.Errorf("--kind %q must be declarative or javascript", kind)
			}
			if err := os.Mkdir(name, 0o755); err != nil {
				return err
			}
			for _, f := range files {
				text, err := fs.ReadFile(from, f.Name())
				if err != nil {
					return err
				}
				text = []byte(strings.ReplaceAll(string(text), "NAME", name))
				if err := os.WriteFile(filepath.Join(name, f.Name()), text, 0o644); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(name, f.Name()))
			}
			hint(cmd, "Try it: castor driver test "+name)
			return nil
		}}
	c.Flags().StringVar(&kind, "kind", string(driver.JavaScript), "declarative or javascript")
	return c
}
