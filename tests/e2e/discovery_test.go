package e2e

import (
	"errors"
	"strings"
	"time"

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
	list, err := w.Admin.ListWaiting(w.Context(), api.WaitingQuery{State: api.WaitingNow})
	w.must(err, "waiting list")
	banned := ""
	for _, v := range list.Items {
		if v.Maker != "Acme" || v.Model != "Pump 3000" || len(v.Guess) == 0 {
			w.Errorf("%s waits as %+v", v.Serial, v)
		}
		if v.Serial == "K-5" {
			banned = v.ID
		} else {
			ids = append(ids, v.ID)
		}
	}
	if len(ids) != 4 || banned == "" {
		w.Fatalf("%d wait: %+v", len(list.Items), list.Items)
	}
	for name, c := range map[string]*api.Client{"plant": plant, "rival": rival} {
		if _, err := c.ListWaiting(w.Context(), api.WaitingQuery{}); !errors.Is(err, access.ErrDenied) {
			w.Errorf("an owner of %s reads the waiting list: %v", name, err)
		}
	}
	_, err = w.Admin.BanWaiting(w.Context(), api.Ban{IDs: []string{banned}, Reason: "nobody's"})
	w.must(err, "ban")
	done, err := w.Admin.AdmitWaiting(w.Context(), api.Admit{All: &api.WaitingFilter{Maker: "Acme"}, Type: "pump", Owner: "plant", Register: true, Reason: "the new hall"})
	if err != nil || done.Done != 4 || len(done.Faults) > 0 {
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
		for tries := 0; a.Bundle == nil && tries < 3; tries++ { // its gateway may be a moment late
			<-time.After(200 * time.Millisecond)
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
}
