package configurations_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/configurations"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

func start(t *testing.T) *functiontest.World {
	w := functiontest.New(t, functiontest.Functions{"configurations": configurations.New})
	twins, err := platform.OpenTwins(context.Background(), w.Base.DB)
	lat := 48.1
	for _, v := range []twin.Twin{
		{ID: "pump", Kind: twin.Type, Definition: twin.Definition{Model: &twin.Model{Template: "pump", Parameters: map[string]string{"interval": "30s", "unit": "bar"}}}},
		{ID: "p-1", Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "press", Location: &twin.Location{Region: "hall-3", Latitude: &lat}}},
	} {
		if err == nil {
			err = twins.Insert(context.Background(), v)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestATemplateIsRenderedForATwin(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	_, err := w.Admin().PutTemplate(ctx, api.Template{Name: "pump", Format: "json", Parameters: map[string]string{"interval": "1m", "level": "info"},
		Content: `{"id": {{json .Twin.id}}, "name": {{json .Twin.name}}, "region": {{json .Twin.location.region}}, "latitude": {{.Twin.location.latitude}},
"interval": "{{.Parameters.interval}}", "level": "{{.Parameters.level}}", "unit": {{json .Parameters.unit}}}`})
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Part("twin-provision", "").RenderTemplate(ctx, "pump", api.Render{Twin: "p-1", Parameters: map[string]string{"unit": `k"Pa`}})
	want := `{"id": "p-1", "name": "p-1", "region": "hall-3", "latitude": 48.1,
"interval": "30s", "level": "info", "unit": "k\"Pa"}`
	if err != nil || got.Content != want || got.Template != "pump" || got.Version != 1 {
		t.Errorf("rendered %+v, %v\nwant %s", got, err, want)
	}
}

func TestVersionsAreKept(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	admin := w.Admin()
	for _, content := range []string{"one", "two", "three"} {
		if _, err := admin.PutTemplate(ctx, api.Template{Name: "x", Format: "text", Content: content}); err != nil {
			t.Fatal(err)
		}
	}
	for n, want := range []string{"one", "two", "three"} {
		if got, err := admin.GetTemplateVersion(ctx, "x", int64(n+1)); err != nil || got.Content != want || got.Version != int64(n+1) {
			t.Errorf("version %d is %q (%v), want %q", n+1, got.Content, err, want)
		}
	}
	if _, err := admin.GetTemplateVersion(ctx, "x", 4); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a version that is not there: %v", err)
	}
	_, err := admin.Do(ctx, "PUT", "configurations", "/templates/x", http.Header{"If-Match": {`"2"`}, "Content-Type": {"application/json"}}, api.Template{Name: "x", Format: "text", Content: "four"})
	if !errors.Is(err, api.ErrStale) {
		t.Errorf("an edit of version 2 while 3 is current: %v", err)
	}
}

func TestTemplatesAreFoundByMetadata(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	admin := w.Admin()
	for name, meta := range map[string]map[string]string{
		"a": {"os": "linux", "arch": "arm64"}, "b": {"os": "linux", "arch": "amd64"}, "c": {"os": "windows"}, "d": nil,
	} {
		if _, err := admin.PutTemplate(ctx, api.Template{Name: name, Format: "text", Content: "x", Metadata: meta}); err != nil {
			t.Fatal(err)
		}
	}
	for want, meta := range map[string]map[string]string{
		"a b": {"os": "linux"}, "a": {"os": "linux", "arch": "arm64"}, "": {"os": "linux", "arch": "mips"}, "a b c d": nil,
	} {
		page, err := admin.FindTemplates(ctx, meta, "")
		var names []string
		for _, tpl := range page.Items {
			names = append(names, tpl.Name)
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("with %v: %q, %v; want %q", meta, got, err, want)
		}
	}
}

// Whatever a template does, it ends soon, takes little memory and is told to its author as a fault of the template.
func TestTemplatesThatTakeTooMuch(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	admin := w.Admin()
	for name, content := range map[string]string{
		"counts for ever":              `{{range 1000000000000}}{{end}}`,
		"counts for ever, nested":      `{{range 1000000}}{{range 1000000}}{{if true}}{{end}}{{end}}{{end}}`,
		"calls itself":                 `{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`,
		"calls itself twice":           `{{define "a"}}{{template "a"}}{{template "a"}}{{end}}{{template "a"}}`,
		"writes too much":              `{{range 10000}}0123456789{{end}}`,
		"doubles a text":               `{{$x := "0123456789"}}{{range 60}}{{$x = print $x $x}}{{end}}`,
		"asks for a wide number":       `{{printf "%1000000000d" 1}}`,
		"asks for a width by argument": `{{printf "%*d" 1000000000 1}}`,
		"repeats an argument":          `{{$x := printf "%0999d" 1}}{{$x = print $x $x $x $x $x $x $x $x $x $x $x $x}}{{printf "` + strings.Repeat("%[1]s", 2000) + `" $x}}`,
		"escapes escapes":              `{{$x := "\\\\"}}{{range 60}}{{$x = js $x}}{{end}}`,
		"names what is not there":      `{{.Parameters.nothing}}`,
		"names a method":               `{{.Twin.Valid}}`,
		"is not JSON in the end":       `{`,
	} {
		t.Run(name, func(t *testing.T) {
			id := strings.NewReplacer(" ", "-", ",", "").Replace(name)
			if _, err := admin.PutTemplate(ctx, api.Template{Name: id, Format: "json", Content: content}); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			_, err := admin.RenderTemplate(ctx, id, api.Render{Twin: "p-1"})
			if !errors.Is(err, twin.ErrInvalid) {
				t.Errorf("got %v, want it to be invalid", err)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestTemplatesThatAreRefused(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	owner := w.User("olga", []access.Role{access.Owner}, "press")
	many := map[string]string{}
	for i := range 101 {
		many["k"+strings.Repeat("x", i%60)+string(rune('a'+i%26))+string(rune('a'+i/26))] = ""
	}
	good := api.Template{Name: "x", Format: "text", Content: "x"}
	with := func(change func(*api.Template)) api.Template { v := good; change(&v); return v }
	for name, tt := range map[string]struct {
		as   *api.Client
		in   api.Template
		want error
	}{
		"an owner":               {owner, good, access.ErrDenied},
		"an unknown format":      {w.Admin(), with(func(v *api.Template) { v.Format = "xml" }), twin.ErrInvalid},
		"no content":             {w.Admin(), with(func(v *api.Template) { v.Content = "" }), twin.ErrInvalid},
		"not a template":         {w.Admin(), with(func(v *api.Template) { v.Content = "{{" }), twin.ErrInvalid},
		"an unknown function":    {w.Admin(), with(func(v *api.Template) { v.Content = "{{env}}" }), twin.ErrInvalid},
		"our own function":       {w.Admin(), with(func(v *api.Template) { v.Content = "{{castorTick}}" }), twin.ErrInvalid},
		"content that is huge":   {w.Admin(), with(func(v *api.Template) { v.Content = strings.Repeat("x", 64<<10+1) }), twin.ErrInvalid},
		"too many parameters":    {w.Admin(), with(func(v *api.Template) { v.Parameters = many }), twin.ErrInvalid},
		"a parameter's odd name": {w.Admin(), with(func(v *api.Template) { v.Parameters = map[string]string{"a b": ""} }), twin.ErrInvalid},
		"an odd name":            {w.Admin(), with(func(v *api.Template) { v.Name = ".x" }), twin.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := tt.as.PutTemplate(ctx, tt.in); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	if _, err := w.Admin().RenderTemplate(ctx, "none", api.Render{Twin: "p-1"}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a template that is not there: %v", err)
	}
}
