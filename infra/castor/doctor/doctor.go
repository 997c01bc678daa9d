// Package doctor examines a platform from outside, by its public addresses, and where it is let, from inside: its data
// directory, its secrets, its stores. Whatever it finds it says as a fact with the command that mends it. It changes nothing
// that stays, and works when the platform does not.
package doctor

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

// A Level says how bad a finding is.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Warning Level = "warning" // works, and will not for long, or not well
	Bad     Level = "bad"     // does not work
)

// A Finding is one fact.
type Finding struct {
	Check  string `json:"check"` // what was looked at: "clock", "certificates" …
	Level  Level  `json:"level"`
	Fact   string `json:"fact"`
	Remedy string `json:"remedy,omitempty"` // what to do: mostly a command
}

// A Report is everything that was found, in the order of the checks.
type Report struct {
	At       time.Time `json:"at"`
	Version  string    `json:"version"` // of the examining program
	Findings []Finding `json:"findings"`
}

// Worst is the worst level of the report.
func (r Report) Worst() Level {
	worst := OK
	for _, f := range r.Findings {
		if f.Level == Bad || f.Level == Warning && worst == OK {
			worst = f.Level
		}
	}
	return worst
}

// Config says what is examined. What is not given is not examined.
type Config struct {
	URL  string       // the user gateway
	HTTP *http.Client // that trusts it; nil = http.DefaultClient

	// API is signed in as a maintainer; nil = nobody is. Who says whose session it is, or why there is none.
	API *api.Client

	CA       []byte   // of the platform, PEM: what devices trust
	Gateways []string // what devices dial: "tls://host:port"; those that the platform knows are examined anyway

	Data      string   // the data directory of castor up
	Secrets   string   // a folder of secrets
	Need      []string // secrets that must be in it; nil = those that every platform has
	Functions []string // that there must be

	// Env has the settings of a part (see platform.Open), for the stores; nil = the stores are not examined.
	Env func(string) string

	Now func() time.Time // time.Now if nil
}

const (
	// limit bounds a whole examination, each one check of it.
	limit = 9 * time.Second
	each  = 7 * time.Second
)

// A check looks at one thing. Checks run beside each other; what one finds stays together.
type check struct {
	name string
	run  func(ctx context.Context, f *findings)
}

// findings are those of one check.
type findings struct {
	check string
	all   []Finding
	down  bool // what was looked at does not run: what else fails is its consequence
}

func (f *findings) ok(fact string)           { f.add(OK, fact, "") }
func (f *findings) warn(fact, remedy string) { f.add(Warning, fact, remedy) }
func (f *findings) bad(fact, remedy string)  { f.add(Bad, fact, remedy) }
func (f *findings) add(l Level, fact, remedy string) {
	f.all = append(f.all, Finding{Check: f.check, Level: l, Fact: fact, Remedy: remedy})
}

// Examine makes all checks that the config allows, in ten seconds at most.
func Examine(ctx context.Context, c Config) Report {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.HTTP == nil {
		c.HTTP = http.DefaultClient
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	checks := c.checks()
	found := make([]findings, len(checks))
	var wg sync.WaitGroup
	for i, k := range checks {
		found[i].check = k.name
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, each)
			defer cancel()
			k.run(ctx, &found[i])
		})
	}
	wg.Wait()
	r := Report{At: c.Now().UTC().Truncate(time.Millisecond), Version: api.Version, Findings: []Finding{}}
	without(found)
	for i := range found {
		r.Findings = append(r.Findings, found[i].all...)
	}
	return r
}

// without leaves out what is wrong only because the platform does not run.
func without(found []findings) {
	down := map[string]bool{}
	for _, f := range found {
		down[f.check] = f.down
	}
	if !down["gateway"] {
		return // something answers
	}
	follows := []string{"functions", "watchdog", "queues", "messages", "drivers"}
	if down["platform"] {
		follows = append(follows, "gateway", "ports")
	}
	for i := range found {
		if slices.Contains(follows, found[i].check) {
			found[i].all = slices.DeleteFunc(found[i].all, func(f Finding) bool { return f.Level != OK })
		}
	}
}

func (c *Config) checks() []check {
	var all []check
	add := func(when bool, name string, run func(context.Context, *findings)) {
		if when {
			all = append(all, check{name, run})
		}
	}
	add(c.Data != "", "platform", c.running)
	add(c.URL != "", "gateway", c.userGateway)
	add(true, "clock", c.clock)
	add(c.URL != "" && len(c.Functions) > 0, "functions", c.functions)
	add(true, "ports", c.ports)
	add(len(c.CA) > 0, "certificates", c.authority)
	add(c.API != nil, "watchdog", c.watchdog)
	add(c.API != nil, "queues", c.queues)
	add(c.API != nil, "messages", c.messages)
	add(c.API != nil, "drivers", c.drivers)
	add(c.Data != "", "disk", c.disk)
	add(c.Data != "" || c.Secrets != "", "secrets", c.secrets)
	add(c.Env != nil, "mongodb", c.mongodb)
	add(c.Env != nil, "bus", c.bus)
	add(c.Env != nil, "objects", c.objects)
	add(c.Env != nil, "mail", c.mail)
	return all
}
