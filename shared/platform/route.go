package platform

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

// capabilities are what the service directory knows functions by: another function that advertises one, under a name of its
// own, may be called in place of the well-known one. users and directory are not among them: nothing is found without them.
var capabilities = map[string]string{
	"alerts": "alarms", "artifacts": "artifacts", "authorization": "authorization", "configurations": "configurations",
	"credentials": "credentials.resolve", "gateways": "gateways", "identities": "identities", "twin-command": "commands",
	"twin-history": "history", "twin-ingest": "ingest", "twin-monitor": "rules", "twin-provision": "provision", "twins": "twins",
	"twin-watchdog": "watchdog",
}

const (
	routesFor  = 20 * time.Second // how long names are used without asking again: a third of how long an advertisement is good
	routesWait = time.Second      // after the start, in which the well-known names do
	askFor     = 5 * time.Second
)

// services knows by which names functions are to be called now. It asks in the background, when it is used: no call waits for
// the directory, and while that is away names stay as they were.
type services struct {
	ask func(context.Context, string) (api.Page[api.Advertisement], error) // a page of functions that are alive
	now func() time.Time

	mu     sync.Mutex
	names  map[string]string // well-known name → found name, where they differ
	asked  time.Time
	asking bool
}

// of is the name to call a function by.
func (r *services) of(function string) string {
	if capabilities[function] == "" {
		return function
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if r.asked.IsZero() {
		r.asked = now.Add(routesWait - routesFor)
	}
	if age := now.Sub(r.asked); !r.asking && (age >= routesFor || age < -routesFor) {
		r.asking = true
		go r.refresh()
	}
	if name := r.names[function]; name != "" {
		return name
	}
	return function
}

func (r *services) refresh() {
	ctx, cancel := context.WithTimeout(context.Background(), askFor)
	defer cancel()
	who := map[string][]string{} // capability → names
	var err error
	for cursor, more := "", true; more && err == nil; {
		var page api.Page[api.Advertisement]
		page, err = r.ask(ctx, cursor)
		for _, a := range page.Items {
			if a.Kind != "function" || a.URL != "/function/"+a.Name {
				continue
			}
			for _, c := range a.Capabilities {
				who[c] = append(who[c], a.Name)
			}
		}
		cursor, more = page.Next, page.Next != ""
	}
	names := map[string]string{}
	for function, capability := range capabilities {
		// The well-known one goes before others that can do the same; where nobody can, it is most likely not listed yet.
		if found := who[capability]; len(found) > 0 && !slices.Contains(found, function) {
			names[function] = slices.Min(found)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asking, r.asked = false, r.now()
	if err == nil {
		r.names = names
	}
}
