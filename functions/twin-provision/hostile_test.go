package twinprovision_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
)

// Whatever is sent to the functions of provisioning, by whomever, is answered as the sender's fault: never a 500.
func TestHostileInput(t *testing.T) {
	w := start(t)
	w.identity("P-1")
	claim := w.claim(api.NewClaim{MaxUses: 5})
	run, _ := w.provision(w.request(claim, "P-1"))
	deep := strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)
	bodies := map[string]api.Raw{
		"nothing":          {ContentType: "application/json"},
		"not JSON":         {ContentType: "application/json", Body: []byte("{")},
		"an array":         {ContentType: "application/json", Body: []byte("[1,2]")},
		"a number":         {ContentType: "application/json", Body: []byte("1e400")},
		"null":             {ContentType: "application/json", Body: []byte("null")},
		"two values":       {ContentType: "application/json", Body: []byte("{}{}")},
		"wrong types":      {ContentType: "application/json", Body: []byte(`{"id":7,"type":[],"owner":{},"ref":true,"twin":1,"refs":"x","states":{},"facts":[],"expires":5}`)},
		"bad UTF-8":        {ContentType: "application/json", Body: []byte("{\"owner\":\"\xff\xfe\",\"type\":\"\xff\",\"serial\":\"\xff\"}")},
		"control letters":  {ContentType: "application/json", Body: []byte(`{"type":"pu\u0000mp","owner":"\u0007","serials":"\u001b[2J"}`)},
		"deep nesting":     {ContentType: "application/json", Body: []byte(deep)},
		"huge":             {ContentType: "application/json", Body: []byte(`"` + strings.Repeat("x", 2<<20) + `"`)},
		"huge numbers":     {ContentType: "application/json", Body: []byte(`{"type":"pump","owner":"press","maxUses":9223372036854775807,"expires":"2562047h"}`)},
		"CBOR":             {ContentType: "application/cbor", Body: []byte{0xa1, 0x61, 0x61, 0x9f}},
		"CBOR without end": {ContentType: "application/cbor", Body: []byte(strings.Repeat("\x9f", 1000))},
		"YAML":             {ContentType: "application/yaml", Body: []byte("a: &a [*a]\n")},
	}
	names := []string{"x", "..%2F..", "%00", "%ff", "a%2Fb", strings.Repeat("x", 2000), "automatic", claim, run.ID, "p-1"}
	for _, e := range []struct {
		as             *api.Client
		function, call string // {} stands for a name
	}{
		{w.admin, "credentials", "POST /claims"}, {w.admin, "credentials", "GET /claims/{}"}, {w.admin, "credentials", "DELETE /claims/{}x"},
		{w.admin, "configurations", "PUT /templates/{}"}, {w.admin, "configurations", "GET /templates/{}"}, {w.admin, "configurations", "POST /templates/{}/render"},
		{w.admin, "configurations", "GET /templates?meta.os=%00&limit=0"}, {w.admin, "configurations", "GET /templates/pump?version={}"},
		{w.admin, "gateways", "GET /assignments/{}"}, {w.admin, "gateways", "GET /gateways?phase={}&cursor={}"},
		{w.admin, "twin-provision", "PUT /models/{}"}, {w.admin, "twin-provision", "GET /models/{}"}, {w.admin, "twin-provision", "GET /runs/{}"},
		{w.admin, "twin-provision", "POST /runs/{}x/reset"}, {w.admin, "twin-provision", "GET /runs?twin={}"}, {w.admin, "twin-provision", "GET /runs?cursor={}"},
		{w.admin, "twin-provision", "GET /rejections?cursor={}"}, {w.admin, "credentials", "GET /claims?cursor={}&limit=99999"},
		{w.prov, "twin-provision", "POST /requests"}, {w.op, "twin-provision", "POST /confirmations"}, {w.op, "gateways", "PUT /gateways/{}"},
		{w.op, "credentials", "POST /resolve"}, {w.Part("events", ""), "gateways", "POST /events"}, {w.Part("events", ""), "twin-provision", "POST /events"},
		{w.Part("events", ""), "credentials", "POST /events"}, {w.Part("events", ""), "twin-provision", "POST /schedule"},
		{w.Part("twin-provision", ""), "credentials", "POST /claims/{}/uses"}, {w.Part("twin-provision", ""), "credentials", "DELETE /claims/{}/uses/{}"},
		{w.Part("twin-provision", ""), "credentials", "POST /credentials"}, {w.Part("twin-provision", ""), "credentials", "DELETE /credentials?twin={}&run={}"},
		{w.Part("twin-provision", ""), "credentials", "POST /credentials/{}/erase"}, {w.Part("twin-provision", ""), "gateways", "PUT /assignments/{}"},
		{w.Part("twin-provision", ""), "gateways", "DELETE /assignments/{}"}, {w.Part("credentials", ""), "gateways", "PUT /claims/{}"},
	} {
		method, path, _ := strings.Cut(e.call, " ")
		for _, name := range names {
			if !strings.Contains(path, "{}") && name != "x" {
				continue
			}
			for what, body := range bodies {
				if (method == "GET" || method == "DELETE") && what != "nothing" {
					continue
				}
				resp, err := e.as.Do(w.ctx, method, e.function, strings.ReplaceAll(path, "{}", name), http.Header{"Content-Type": {body.ContentType}}, body)
				if err == nil {
					resp.Body.Close()
					continue
				}
				if p := new(api.Problem); !errors.As(err, &p) || p.Status >= 500 || p.Detail == "" {
					t.Errorf("%s of function %s with name %.20q and %s: %v", e.call, e.function, name, what, err)
				}
			}
		}
	}
	w.identity("P-2")
	w.provision(w.request(claim, "P-2")) // and everything goes on as before
}
