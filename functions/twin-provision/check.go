package twinprovision

import (
	"context"
	_ "embed"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/provision"
)

// schema is the JSON Schema of models, for editors. It says how a model is written; checkModel says also what it means.
//
//go:embed schema.json
var schema []byte

func (f *function) modelSchema(context.Context, *faas.Call, faas.None) (faas.Reply, error) {
	r := faas.Bytes("application/schema+json", schema)
	r.Header.Set("Cache-Control", "public, max-age=3600")
	return r, nil
}

// checkModel tells the faults of a model, each with its line, and keeps nothing.
func (f *function) checkModel(_ context.Context, c *faas.Call, body []byte) (api.ModelCheck, error) {
	m, err := f.readGood(body, isJSON(c), "")
	faulty := new(provision.FaultyError)
	if err != nil && !errors.As(err, &faulty) {
		return api.ModelCheck{}, err
	}
	out := api.ModelCheck{OK: err == nil, Faults: faulty.Faults}
	if out.Faults == nil {
		out.Faults = []provision.Fault{}
	}
	if out.OK {
		out.Model = &m
	}
	return out, nil
}

// maxEvents bounds a simulation.
const maxEvents = 200

// simulateModel tries a model with a sample device and the events that a caller thinks of.
func (f *function) simulateModel(ctx context.Context, c *faas.Call, in api.Simulate) (provision.Simulation, error) {
	if len(in.Events) > maxEvents {
		return provision.Simulation{}, api.Invalid("events: at most %d, not %d", maxEvents, len(in.Events))
	}
	m, err := f.simulated(ctx, in)
	if err != nil {
		return provision.Simulation{}, err
	}
	for _, e := range in.Events {
		if e.After.D() > 366*24*time.Hour {
			return provision.Simulation{}, api.Invalid("events: after %s must be a year at most", e.After)
		}
	}
	return provision.Simulate(ctx, m, f.guard, in.Sample, in.Events, f.p.Time())
}

// simulated is the model that is to be tried: one that is kept here, or a text.
func (f *function) simulated(ctx context.Context, in api.Simulate) (provision.Model, error) {
	switch {
	case (in.Model == "") == (in.Text == ""):
		return provision.Model{}, api.Invalid("model or text must be given, one of them: a model's id, or its YAML or JSON")
	case in.Text != "":
		return f.readGood([]byte(in.Text), strings.HasPrefix(strings.TrimSpace(in.Text), "{"), "")
	}
	version := ""
	if in.Version != 0 {
		version = strconv.FormatInt(in.Version, 10)
	}
	return f.modelAt(ctx, in.Model, version)
}
