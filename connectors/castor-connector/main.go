// Command castor-connector is the platform's long-lived part beside its functions. It runs one connector per process, in as
// many replicas as wanted, any of which may end at any time:
//
//	castor-connector events   events, schedules and queued calls become calls of functions (package events)
//	castor-connector stream   what happens, as server-sent events for who looks at it now (package stream)
//	castor-connector mqtt     an IoT gateway for MQTT with its transformer (packages gateway, mqtt and link)
//	castor-connector grpc     the same for gRPC (package grpc)
//	castor-connector http     the same for HTTP (package http)
//	castor-connector mosquitto, foreign   gateways that are not the platform's own: they are told whom they let in (package configurator)
//	castor-connector health   asks whether the one that runs is ready
//
// Settings are environment variables, `castor-connector mqtt --help` lists them; secrets are files. Both may be in a folder that
// `castor gateway join` has made (--settings). It writes below
// CASTOR_DIR only. It starts no server that it needs, and waits for those that are not there yet. `castor up` does the same
// in one process.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/platform"
)

// version is set by the build.
var version = "dev"

// A command is one connector.
type command struct {
	name, does string
	settings   []setting
	secrets    []string // "name: what it is"
	run        func(ctx context.Context, p *process) error
}

var commands = []command{eventsCommand, mqttCommand, grpcCommand, httpCommand, mosquittoCommand, foreignCommand, streamCommand}

func main() {
	sandbox.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(start(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// start returns the exit status: 0, 1 when the connector ended by a fault, 2 when it was called wrongly.
func start(ctx context.Context, args []string, env func(string) string, out, errs io.Writer) int {
	first := ""
	if len(args) > 0 {
		first = args[0]
	}
	if first == "health" {
		return health(ctx, args[1:], env, out, errs)
	}
	if first == "--version" {
		fmt.Fprintln(out, version)
		return 0
	}
	for _, c := range commands {
		switch {
		case c.name != first:
		case len(args) == 1:
			return serve(ctx, c, env, errs)
		case args[1] == "--settings" && len(args) == 3:
			env, err := folder(args[2], env)
			if err != nil {
				fmt.Fprintln(errs, "castor-connector:", err)
				return 2
			}
			return serve(ctx, c, env, errs)
		case args[1] == "--help" || args[1] == "-h":
			c.help(out)
			return 0
		default:
			fmt.Fprintf(errs, "castor-connector %s takes no arguments but --settings DIR, its settings are environment variables: castor-connector %[1]s --help\n", first)
			return 2
		}
	}
	if first == "--help" || first == "-h" || first == "help" {
		usage(out)
		return 0
	}
	usage(errs)
	return 2
}

// health asks the connector that runs beside this program, in the same container, whether it is ready.
func health(ctx context.Context, args []string, env func(string) string, out, errs io.Writer) int {
	if len(args) > 0 && (args[0] == "--help" || args[0] == "-h") {
		fmt.Fprint(out, healthHelp)
		return 0
	}
	if err := metrics.Ask(ctx, cmp.Or(strings.TrimSpace(env("CASTOR_METRICS")), ":9102")); err != nil {
		fmt.Fprintln(errs, "castor-connector:", err)
		return 1
	}
	return 0
}

const healthHelp = `castor-connector health: asks the connector that runs on this machine or in this container whether it is ready

It exits with 0 if so, else with 1 and why not; for health checks of containers. CASTOR_METRICS is the address that the connector
has for /readyz (default :9102).
`

func usage(w io.Writer) {
	fmt.Fprintf(w, "castor-connector runs one connector of a Castor platform until it gets SIGTERM.\n")
	for _, c := range commands {
		fmt.Fprintln(w)
		c.help(w)
	}
	fmt.Fprint(w, "\n", healthHelp)
}

func (c command) help(w io.Writer) {
	fmt.Fprintf(w, "castor-connector %s [--settings DIR]: %s\n\nDIR is a folder made by castor gateway join: what it says is set where the environment says nothing.\n\nEnvironment:\n", c.name, c.does)
	for _, s := range c.settings {
		fmt.Fprintf(w, "  %-20s %s\n", s.name, s.what)
		value := "default " + s.otherwise
		switch {
		case s.required:
			value = "required"
		case s.otherwise == "":
			value = "none if not set"
		}
		fmt.Fprintf(w, "  %-20s   %s; example: %s\n", "", value, s.example)
	}
	fmt.Fprintf(w, "\nSecrets, files in CASTOR_SECRETS:\n")
	for _, s := range c.secrets {
		name, what, _ := strings.Cut(s, ": ")
		fmt.Fprintf(w, "  %-20s %s\n", name, what)
	}
}

// serve runs the connector, with its health beside it.
func serve(ctx context.Context, c command, env func(string) string, errs io.Writer) int {
	log := platform.LogTo(errs, env)
	settings, err := readSettings(c.settings, env)
	if err != nil {
		fmt.Fprintf(errs, "%v\nAll settings: castor-connector %s --help\n", err, c.name)
		return 2
	}
	p := newProcess(settings, log)
	healthy, unhealthy := context.WithCancel(context.WithoutCancel(ctx))
	health := make(chan error, 1)
	go func() {
		health <- metrics.Serve(healthy, settings.get("CASTOR_METRICS"), func() error { return p.ready(ctx) })
	}()
	working, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- c.run(working, p) }()
	for running := true; running; {
		select {
		case err = <-done:
			running = false
		case e := <-health:
			if e != nil { // its address is taken, most likely
				log.Error("health is not served", "error", fmt.Errorf("CASTOR_METRICS: %w", e))
				stop()
				err = errors.Join(e, <-done)
				running = false
			}
			health = nil // it is turned off
		}
	}
	stop()
	unhealthy()
	if err != nil {
		log.Error("castor-connector ended", "connector", c.name, "error", err)
		return 1
	}
	log.Info("castor-connector stopped", "connector", c.name)
	return 0
}
