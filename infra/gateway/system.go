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

func (g *gateway) info(w http.ResponseWriter, _ *http.Request) {
	version := &types.VersionInfo{SHA: g.Commit, Release: g.Release}
	answer(w, http.StatusOK, struct {
		Provider types.ProviderInfo `json:"provider"`
		Version  *types.VersionInfo `json:"version"`
		Arch     string             `json:"arch"`
	}{types.ProviderInfo{Name: "castor", Version: version, Orchestration: "in process"}, version, runtime.GOARCH})
}

func (g *gateway) namespaces(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, []string{namespace})
}

func (g *gateway) list(w http.ResponseWriter, r *http.Request) {
	list := make([]types.FunctionStatus, 0, len(g.functions))
	if ourNamespace(r) {
		for _, f := range g.functions {
			list = append(list, g.status(f))
		}
	}
	slices.SortFunc(list, func(a, b types.FunctionStatus) int { return strings.Compare(a.Name, b.Name) })
	answer(w, http.StatusOK, list)
}

func (g *gateway) describe(w http.ResponseWriter, r *http.Request) {
	f := g.functions[r.PathValue("name")]
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

func (g *gateway) status(f *instance) types.FunctionStatus {
	return types.FunctionStatus{
		Name: f.Name, Image: f.Image, Namespace: namespace,
		Labels: orEmpty(f.Labels), Annotations: orEmpty(f.Annotations),
		InvocationCount: float64(f.invocations.Load()),
		Replicas:        1, AvailableReplicas: 1,
		CreatedAt: g.started,
	}
}

func orEmpty(m map[string]string) *map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	return &m
}

const builtIn = "the functions of this gateway are built into the program: they cannot be deployed, scaled or removed here"

// builtIn refuses in plain text, because faas-cli shows its users the answer as it comes.
func (g *gateway) builtIn(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, builtIn, http.StatusNotImplemented)
}

// scale accepts the only size there is, so that tools that wake functions before they call them go on.
func (g *gateway) scale(w http.ResponseWriter, r *http.Request) {
	if g.functions[r.PathValue("name")] == nil {
		problem(w, http.StatusNotFound, "there is no such function")
		return
	}
	var request types.ScaleServiceRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		problem(w, http.StatusBadRequest, "want JSON with serviceName and replicas")
		return
	}
	if request.Replicas != 1 {
		g.builtIn(w, r)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}
