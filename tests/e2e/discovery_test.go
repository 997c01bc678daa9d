package e2e

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
)

// Devices that have nothing knock on three protocols. Many are let in at once, one is banned; those come in when they knock again, this
// one does not, and a flood of others costs no calls.
func discovery(w *World, plant, rival *api.Client) {
	ctx, cancel := w.soon()
	defer cancel()
	ca, err := w.Client("").CA(w.Context())
	w.must(err, "CA")
	type knocker struct {
		protocol, serial, from string
		kind                   device.Kind
		*made
	}
	var all []*knocker
	for i, protocol := range []string{"mqtt", "mqtt", "grpc", "http", "http"} {
		serial := "K-" + string(rune('1'+i))
		k := &knocker{protocol, serial, "127.1.0." + string(rune('1'+i)), device.Token, w.made()}
		if i == 0 {
			k.kind = device.Certificate
		}
		all = append(all, k)
	}
	knock := func(k *knocker) api.ProvisionAnswer {
		w.Helper()
		to := w.door(k.protocol, ca)
		to.from = k.from
		in := k.request(k.serial, k.kind)
		in["maker"], in["capabilities"] = "Acme", []string{"rpm", "temperature"}
		a, err := wires[k.protocol].knock(ctx, to, in)
		w.must(err, k.serial+" knocks")
		return a
	}
	var ids []string
	for _, k := range all {
		if a := knock(k); a.Status != "pending" {
			w.Errorf("%s is told %+v", k.serial, a)
		}
	}
	// Machines with castor-agent and no claim: they knock by themselves, until they are told.
	agents := map[string]*agent.Agent{}
	told := map[string]<-chan error{}
	for serial, protocol := range map[string]string{"K-6": "mqtt", "K-7": "grpc", "K-8": "mqtt"} {
		agents[serial], told[serial] = w.knocking(serial, w.door(protocol, ca), "127.1.0."+serial[2:])
	}
	for _, a := range agents {
		w.Eventually("the agent waits", func() bool {
			p := a.Phase()
			return p.Phase == agent.Pending && strings.Contains(p.Detail, "castor waiting list")
		})
	}
	list, err := w.Admin.ListWaiting(w.Context(), api.WaitingQuery{State: api.WaitingNow})
	w.must(err, "waiting list")
	var banned []string
	for _, v := range list.Items {
		if v.Maker != "Acme" || v.Model != "Pump 3000" || len(v.Guess) == 0 {
			w.Errorf("%s waits as %+v", v.Serial, v)
		}
		if v.Serial == "K-5" || v.Serial == "K-8" {
			banned = append(banned, v.ID)
		} else {
			ids = append(ids, v.ID)
		}
	}
	if len(ids) != 6 || len(banned) != 2 {
		w.Fatalf("%d wait: %+v", len(list.Items), list.Items)
	}
	for name, c := range map[string]*api.Client{"plant": plant, "rival": rival} {
		if _, err := c.ListWaiting(w.Context(), api.WaitingQuery{}); !errors.Is(err, access.ErrDenied) {
			w.Errorf("an owner of %s reads the waiting list: %v", name, err)
		}
	}
	_, err = w.Admin.BanWaiting(w.Context(), api.Ban{IDs: banned, Reason: "nobody's"})
	w.must(err, "ban")
	done, err := w.Admin.AdmitWaiting(w.Context(), api.Admit{All: &api.WaitingFilter{Maker: "Acme"}, Type: "pump", Owner: "plant", Register: true, Reason: "the new hall"})
	if err != nil || done.Done != 6 || len(done.Faults) > 0 {
		w.Fatalf("admitted: %+v, %v", done, err)
	}
	for _, k := range all {
		if k.serial == "K-5" {
			if a := knock(k); a.Status != "rejected" || !strings.Contains(a.Reason, "banned") {
				w.Errorf("who is banned is told %+v", a)
			}
			continue
		}
		a := knock(k)
		for tries := 0; a.Bundle == nil && a.Run != "" && tries < 3; tries++ { // its gateway may be late; an address may knock five times
			w.Eventually("the run of "+k.serial+" goes on", func() bool {
				run, err := w.Admin.GetRun(ctx, a.Run)
				w.must(err, "run")
				return run.State != a.State
			})
			a = knock(k)
		}
		if a.Bundle == nil {
			w.Fatalf("%s is told %+v", k.serial, a)
		}
		k.bundle = *a.Bundle
		p, err := k.proof()
		w.must(err, k.serial)
		w.must(wires[k.protocol].confirm(ctx, k.operational(), p), k.serial+" confirms")
		w.must(wires[k.protocol].report(ctx, k.operational(), p, p.ref, map[string]any{"rpm": 5}), k.serial+" reports")
		if t := w.Twin(k.bundle.Twin); t.Definition.Owner != "plant" || t.Definition.Type != "pump" {
			w.Errorf("%s is of %s, %s", k.serial, t.Definition.Owner, t.Definition.Type)
		}
	}
	for serial, a := range agents {
		if serial == "K-8" {
			select {
			case err := <-told[serial]:
				if !errors.Is(err, agent.ErrRejected) || !strings.Contains(err.Error(), "banned") {
					w.Errorf("the agent that is banned ends with %v", err)
				}
			case <-ctx.Done():
				w.Errorf("the agent that is banned does not end: %+v", a.Phase())
			}
			continue
		}
		select {
		case <-a.Operational():
		case <-ctx.Done():
			w.Fatalf("the agent does not come in: %+v", a.Phase())
		}
		_, id := a.Identity()
		w.Eventually("the agent's machine reports", func() bool { return w.Reported(id, "rpm") != nil })
		if t := w.Twin(id); t.Definition.Owner != "plant" || t.Definition.Type != "pump" {
			w.Errorf("%s is of %s, %s", serial, t.Definition.Owner, t.Definition.Type)
		}
	}
}

// knocking runs an agent without a claim. What is told once is why it has ended.
func (w *World) knocking(serial string, to way, from string) (*agent.Agent, <-chan error) {
	w.Helper()
	to.from = from
	a, err := agent.New(agent.Config{Serial: serial, Model: "Pump 3000", AnswerTimeout: 5 * time.Second, Interval: 200 * time.Millisecond,
		Source: func(context.Context) (map[string]any, error) { return map[string]any{"rpm": 5, "temperature": 60}, nil },
		Dial:   func(ctx context.Context, _, address string) (net.Conn, error) { return to.dial(ctx, address) },
		Knock:  &agent.Knock{Gateway: to.url, CA: to.ca, Maker: "Acme", Retry: agent.Retry{Min: time.Second, Max: 4 * time.Second}}})
	w.must(err, serial)
	ctx, stop := context.WithCancel(context.WithoutCancel(w.Context()))
	ended, told := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(ended)
		told <- a.Run(ctx)
	}()
	w.Cleanup(func() {
		stop()
		<-ended
		w.must(a.Close(), serial)
	})
	return a, told
}
