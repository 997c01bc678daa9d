package cli

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/layout"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/spf13/cobra"
)

func driverBench() *cobra.Command {
	var lasts time.Duration
	c := &cobra.Command{Use: "bench [DIR]", Short: "How fast a driver is with the messages of its tests, one after the other", Args: cobra.MaximumNArgs(1),
		Example: "  castor driver bench --for 5s",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := folderOf(args)
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
			if avg, err := load.AvgWithContext(cmd.Context()); err == nil {
				fmt.Fprint(cmd.OutOrStdout(), crowded(avg.Load1, runtime.NumCPU()))
			}
			return nil
		}}
	c.Flags().DurationVar(&lasts, "for", 3*time.Second, "how long to measure")
	return c
}

// crowded is a line that says by how much the machine has more to do than its cores can, which is what the figures are of then; "" = it
// has not.
func crowded(load float64, cores int) string {
	if load <= float64(cores) {
		return ""
	}
	return fmt.Sprintf("the machine is busy: load average %.1f on %s\n", load, count(cores, "core"))
}

//go:embed scaffold
var scaffolds embed.FS

func driverNew() *cobra.Command {
	var kind, language string
	c := &cobra.Command{Use: "new NAME", Short: "Begin a driver: a folder with code and a test that pass", Args: cobra.ExactArgs(1),
		Example: "  castor driver new acme-th1\n  castor driver new acme-th1 --kind declarative\n  castor driver new acme-th1 --kind wasm --language c",
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if twin.ID(name).Valid() != nil {
				return fmt.Errorf("name %.80q must be 1 to 64 letters, digits, '.', '-' or '_', beginning with a letter or digit", name)
			}
			folder, err := scaffoldOf(driver.Kind(kind), language)
			if err != nil {
				return err
			}
			files, err := fs.ReadDir(scaffolds, folder)
			if err != nil {
				return err
			}
			if err := os.Mkdir(name, 0o755); errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s is there already; choose another name, or remove it", name)
			} else if err != nil {
				return err
			}
			for _, f := range files {
				text, err := fs.ReadFile(scaffolds, path.Join(folder, f.Name()))
				if err != nil {
					return err
				}
				text = []byte(strings.ReplaceAll(string(text), "NAME", name))
				to := filepath.Join(name, strings.TrimSuffix(f.Name(), ".txt")) // which keeps Go from taking a template for a part of this program
				if err := os.WriteFile(to, text, 0o644); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), to)
			}
			if kind == string(driver.WASM) {
				hint(cmd, "Build it: make -C "+name)
			}
			hint(cmd, "Try it: castor driver test "+name)
			return nil
		}}
	c.Flags().StringVar(&kind, "kind", string(driver.JavaScript), "declarative, javascript or wasm")
	c.Flags().StringVar(&language, "language", "", "of a wasm driver: go (default) or c")
	return c
}

// scaffoldOf is the folder of what a driver of a kind begins with.
func scaffoldOf(kind driver.Kind, language string) (string, error) {
	switch {
	case kind == driver.WASM && (language == "" || language == "go"):
		return "scaffold/wasm-go", nil
	case kind == driver.WASM && language == "c":
		return "scaffold/wasm-c", nil
	case kind == driver.WASM:
		return "", fmt.Errorf("--language %q must be go or c; docs/drivers-wasm.md has the interface for others", language)
	case language != "":
		return "", fmt.Errorf("--language is for --kind wasm")
	case kind == driver.JavaScript, kind == driver.Declarative:
		return "scaffold/" + string(kind), nil
	}
	return "", fmt.Errorf("--kind %q must be declarative, javascript or wasm", kind)
}
