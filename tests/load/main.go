// Command load measures the platform, each figure beside its floor of the same run: what the same work costs with the part
// that does nothing but the unavoidable. It starts what it needs, loads are bounded, and it checks no figure: a person reads
// them. `make bench` runs it.
//
//	load [-only ingest,latency,…] [-out bench]     measure, print a table, write bench/TIME.json
//	load -only ingest -profile DIR                 and write there where the platform's time and memory went
//	load -only storm -scale 0.1                    with a tenth of the devices
//	load -only drivers -drivers-corpus DIR         with the vectors of public codecs, too
//	load -compare [-out bench]                     the last two runs beside each other
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/driver/layout"
	"github.com/castor-iot/castor/shared/driver/sandbox"
)

// A Figure is one thing measured.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`

	// Floor is the same work at its cheapest, in the same unit; 0 = there is none. FloorIs says what it is.
	Floor   float64 `json:"floor,omitempty"`
	FloorIs string  `json:"floorIs,omitempty"`

	Note string `json:"note,omitempty"`
}

// A Run is all figures of one run.
type Run struct {
	At      time.Time `json:"at"`
	CPUs    int       `json:"cpus"`
	Figures []Figure  `json:"figures"`
}

// A section is what is measured together.
type section struct {
	name    string
	measure func(context.Context, *bench) error
	limit   time.Duration // it is given up then
}

// sections in the order in which they are measured.
var sections = []section{
	{"ingest", measureIngest, 4 * time.Minute},
	{"latency", measureLatency, 2 * time.Minute},
	{"store", measureStore, 3 * time.Minute},
	{"mongo", measureMongo, 4 * time.Minute},
	{"provisioning", measureProvisioning, 3 * time.Minute},
	{"storm", measureStorm, 6 * time.Minute},
	{"flood", measureFlood, 4 * time.Minute},
	{"growth", measureGrowth, 3 * time.Minute},
	{"fleet", measureFleet, 4 * time.Minute},
	{"console", measureConsole, 8 * time.Minute},
	{"drivers", measureDrivers, 3 * time.Minute},
	{"hostile", measureHostile, 2 * time.Minute},
	{"beside", measureBeside, 8 * time.Minute},
	{"reactions", measureReactions, 3 * time.Minute},
}

// A bench is one run under way.
type bench struct {
	Run
	dir      string  // goes with the run
	castor   string  // the program; "" until it is built
	program  string  // this one
	profiles string  // folder for profiles of the platform; "" = none are made
	scale    float64 // of how many devices and attackers there are

	corpus string         // folders of public codecs with vectors, separated by commas
	suites []layout.Suite // vectors that are at hand
}

func (b *bench) add(f Figure) {
	b.Figures = append(b.Figures, f)
	fmt.Println(f.row())
}

func (f Figure) row() string {
	row := fmt.Sprintf("%-64s %14s %-8s", f.Name, number(f.Value), f.Unit)
	if f.Floor > 0 {
		row += fmt.Sprintf(" %14s %5.2f  %s", number(f.Floor), f.Value/f.Floor, f.FloorIs)
	}
	if f.Note != "" {
		row += "  " + f.Note
	}
	return row
}

func number(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func main() {
	sandbox.Main()
	only := flag.String("only", "", "sections to measure, separated by commas; all if empty")
	out := flag.String("out", "bench", "folder of the results")
	profiles := flag.String("profile", "", "write CPU and allocation profiles of the platform under ingest into this folder")
	castor := flag.String("castor", "", "measure this castor program; built from the source if empty")
	comparing := flag.Bool("compare", false, "compare the last two results instead of measuring")
	scale := flag.Float64("scale", 1, "how many devices and attackers there are in provisioning, storm, flood and growth, as a part of the full size")
	broker := flag.String("broker", "", "be the bare broker with this TLS certificate and key: CERT,KEY (for this program itself)")
	door := flag.String("door", "", "be the bare listener with what is in this folder (for this program itself)")
	siege := flag.String("siege", "", "be the attackers: ADDRESS,CLIENTS,PER-SECOND,SECONDS (for this program itself)")
	corpus := flag.String("drivers-corpus", "", "folders with public codecs and their vectors, separated by commas, for the section drivers")
	spin := flag.Float64("spin", 0, "keep so many cores busy (for this program itself)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch {
	case *broker != "":
		err = serveBroker(ctx, *broker)
	case *door != "":
		err = serveDoor(ctx, *door)
	case *siege != "":
		err = besiege(ctx, *siege)
	case *spin > 0:
		keepBusy(ctx, *spin)
	case *comparing:
		err = compare(*out)
	default:
		b := &bench{Run: Run{At: time.Now().UTC().Truncate(time.Second), CPUs: runtime.NumCPU()}, castor: *castor, profiles: *profiles, scale: *scale, corpus: *corpus}
		err = b.run(ctx, *only, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context, only, out string) (err error) {
	wanted := strings.FieldsFunc(only, func(r rune) bool { return r == ',' })
	for _, w := range wanted {
		if !slices.ContainsFunc(sections, func(s section) bool { return s.name == w }) {
			return fmt.Errorf("there is no section %q", w)
		}
	}
	if b.dir, err = os.MkdirTemp("", "castor-load-*"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.program, err = os.Executable(); err != nil {
		return err
	}
	fmt.Printf("%-64s %14s %-8s %14s %5s  %s\n", fmt.Sprintf("%d CPUs, %s", b.CPUs, runtime.Version()), "", "", "floor", "ratio", "the floor is")
	for _, s := range sections {
		if len(wanted) > 0 && !slices.Contains(wanted, s.name) {
			continue
		}
		if err := b.within(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return b.write(out)
}

// within measures a section, and gives it up when it takes too long.
func (b *bench) within(ctx context.Context, s section) error {
	limited, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	err := s.measure(limited, b)
	if errors.Is(limited.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("not done within %v, the machine is too slow or too busy for it (%w)", s.limit, err)
	}
	return err
}

// build builds the platform's program, once.
func (b *bench) build(ctx context.Context) error {
	if b.castor != "" {
		return nil
	}
	b.castor = filepath.Join(b.dir, "castor")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.castor, "./infra/castor")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, said)
	}
	return nil
}

func (b *bench) write(out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(b.Run, "", "  ")
	if err != nil {
		return err
	}
	file := filepath.Join(out, b.At.Format("20060102T150405Z")+".json")
	if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
		return err
	}
	fmt.Println("written to", file)
	return nil
}

// compare prints the last two runs beside each other.
func compare(out string) error {
	files, err := filepath.Glob(filepath.Join(out, "*.json"))
	if err != nil {
		return err
	}
	if len(files) < 2 {
		return errors.New("there are no two runs to compare: make bench writes one")
	}
	slices.Sort(files)
	var runs [2]Run
	for i, f := range files[len(files)-2:] {
		data, err := os.ReadFile(f)
		if err == nil {
			err = json.Unmarshal(data, &runs[i])
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
	}
	fmt.Printf("%-64s %14s %14s %8s\n", "", runs[0].At.Format(time.DateTime), runs[1].At.Format(time.DateTime), "")
	for _, now := range runs[1].Figures {
		i := slices.IndexFunc(runs[0].Figures, func(f Figure) bool { return f.Name == now.Name })
		if i < 0 {
			continue
		}
		before := runs[0].Figures[i]
		fmt.Printf("%-64s %14s %14s %+7.1f%% %s", now.Name, number(before.Value), number(now.Value), 100*(now.Value/before.Value-1), now.Unit)
		if before.Floor > 0 && now.Floor > 0 {
			fmt.Printf("   of its floor %.2f, was %.2f", now.Value/now.Floor, before.Value/before.Floor)
		}
		fmt.Println()
	}
	return nil
}
