package gateway

import (
	"encoding/json"
	"net/http"
	"runtime"
	"slices"
	"strings"

	"github.com/openfaas/faas-provider/types"
)

// namespace is the only one. It has the name that faas-cli takes for the default.
const namespace = "openfaas-fn"

func (g *Gateway) info(w http.ResponseWriter, _ *http.Request) {
	version := &types.VersionInfo{SHA: g.Commit, Release: g.Release}
	answer(w, http.StatusOK, struct {
		Provider types.ProviderInfo `json:"provider"`
		Version  *types.VersionInfo `json:"version"`
		Arch     string             `json:"arch"`
	}{types.ProviderInfo{Name: "castor", Version: version, Orchestration: g.orchestration()}, version, runtime.GOARCH})
}

func (g *Gateway) orchestration() string {
	for _, f := range *g.functions.Load() {
		if f.replicas != nil {
			return "processes"
		}
	}
	return "in process"
}

func (g *Gateway) namespaces(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, []string{namespace})
}

func (g *Gateway) list(w http.ResponseWriter, r *http.Request) {
	functions := *g.functions.Load()
	list := make([]types.FunctionStatus, 0, len(functions))
	if ourNamespace(r) {
		for _, f := range functions {
			list = append(list, g.status(f))
		}
	}
	slices.SortFunc(list, func(a, b types.FunctionStatus) int { return strings.Compare(a.Name, b.Name) })
	answer(w, http.StatusOK, list)
}

func (g *Gateway) describe(w http.ResponseWriter, r *http.Request) {
	f := g.function(r.PathValue("name"))
	if f == nil || !ourNamespace(r) {
		problem(w, http.StatusNotFound, "there is no such function")
		return
	}
	answer(w, http.StatusOK, g.status(f))
}

func ourNamespace(r *http.Request) bool {
	n := r.URL.Query().Get("namespace")
	return n == "" || n == namespace
}

func (g *Gateway) status(f *instance) types.FunctionStatus {
	replicas, available := f.count()
	return types.FunctionStatus{
		Name: f.Name, Image: f.Image, Namespace: namespace,
		Labels: orEmpty(f.Labels), Annotations: orEmpty(f.Annotations),
		InvocationCount: float64(f.invocations.Load()),
		Replicas:        uint64(replicas), AvailableReplicas: uint64(available),
		CreatedAt: g.started,
	}
}

// count tells how many replicas there are, and how many of them are not left out of calls now.
func (f *instance) count() (all, available int) {
	if f.replicas == nil {
		return 1, 1
	}
	return f.replicas.count()
}

func orEmpty(m map[string]string) *map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	return &m
}

const builtIn = "the functions of this gateway are built into the program or were given to it when it was started: they cannot be deployed, scaled or removed here"

// builtIn refuses in plain text, because faas-cli shows its users the answer as it comes.
func (g *Gateway) builtIn(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, builtIn, http.StatusNotImplemented)
}

// scale accepts the size that there is, so that tools that wake functions before they call them go on.
func (g *Gateway) scale(w http.ResponseWriter, r *http.Request) {
	f := g.function(r.PathValue("name"))
	if f == nil {
		problem(w, http.StatusNotFound, "there is no such function")
		return
	}
	var request types.ScaleServiceRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		problem(w, http.StatusBadRequest, "want JSON with serviceName and replicas")
		return
	}
	if all, _ := f.count(); request.Replicas != uint64(all) {
		g.builtIn(w, r)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}
