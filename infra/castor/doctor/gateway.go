package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/castor-iot/castor/shared/api"
)

// start is how a platform on this machine is started.
func (c *Config) start() string {
	if c.Data != "" {
		return "castor up --data " + c.Data
	}
	return "castor up, or look at the gateway's process: docker compose ps, kubectl get pods -A"
}

func (c *Config) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.URL, "/")+path, nil)
	if err != nil {
		return nil, err
	}
	return c.HTTP.Do(req)
}

// userGateway tells whether the platform answers at all.
func (c *Config) userGateway(ctx context.Context, f *findings) {
	resp, err := c.get(ctx, "/healthz")
	if err != nil {
		f.down = true
		f.bad(fmt.Sprintf("no platform answers at %s: %v", c.URL, rootOf(err)), c.start())
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		f.bad(fmt.Sprintf("the gateway at %s answers %s", c.URL, resp.Status), "look at the gateway's log")
		return
	}
	f.ok("the gateway at " + c.URL + " answers")
	if c.API == nil {
		f.warn("nobody is signed in: queues, gateways and the watchdog were not examined", "castor login --url "+c.URL)
	}
}

// functions calls each function without being anybody. An answer of its own, refusals too, shows that it is there and has its
// stores open, and which version it is.
func (c *Config) functions(ctx context.Context, f *findings) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var missing, notReady, silent []string
	versions := map[string][]string{}
	places := make(chan struct{}, 8)
	for _, name := range c.Functions {
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			status, own, version := c.ask(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case status == 0:
				silent = append(silent, name)
			case status == http.StatusNotFound && !own:
				missing = append(missing, name)
			case status >= 500:
				notReady = append(notReady, name)
			default:
				versions[version] = append(versions[version], name)
			}
		})
	}
	wg.Wait()
	if len(silent) == len(c.Functions) {
		f.bad("no function answers", "see the gateway's finding")
		return
	}
	list := func(names []string, what, remedy string) {
		if slices.Sort(names); len(names) > 0 {
			f.bad(fmt.Sprintf("%s: %s", what, strings.Join(names, ", ")), remedy)
		}
	}
	list(missing, "functions that are not deployed", "faas-cli deploy -f stack.yml")
	list(notReady, "functions that are not ready", "look at their logs: faas-cli logs "+first(notReady))
	list(silent, "functions that do not answer", "look at their logs: faas-cli logs "+first(silent))
	if len(missing)+len(notReady)+len(silent) == 0 {
		f.ok(fmt.Sprintf("%d functions are ready", len(c.Functions)))
	}
	for version, names := range versions {
		if version == api.Version {
			continue
		}
		if slices.Sort(names); version == "" {
			version = "one that is not said"
		}
		f.warn(fmt.Sprintf("this program is version %s; of %s are: %s", api.Version, version, strings.Join(names, ", ")),
			"use the castor of the platform's version, or deploy the functions anew: faas-cli deploy -f stack.yml")
	}
	if len(versions) == 1 && len(versions[api.Version]) > 0 {
		f.ok("functions and this program are version " + api.Version)
	}
}

// ask calls a function; own tells that it is the function that answered.
func (c *Config) ask(ctx context.Context, name string) (status int, own bool, version string) {
	resp, err := c.get(ctx, "/function/"+name+"/doctor")
	if err != nil {
		return 0, false, ""
	}
	defer resp.Body.Close()
	var p api.Problem
	version = resp.Header.Get(api.HeaderVersion) // which no gateway adds; older functions are known by their problems
	own = version != "" || json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&p) == nil && p.CallID != ""
	return resp.StatusCode, own, version
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return slices.Min(names)
}
