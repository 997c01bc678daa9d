package gateway

import "net/http"

// console is the function that people see who open the gateway's own address.
const console = "console"

// face leads who opens it to the console. Where there is none, nothing is here.
func (g *Gateway) face(w http.ResponseWriter, r *http.Request) {
	if g.function(console) == nil {
		nothing(w, r)
		return
	}
	http.Redirect(w, r, "/function/"+console+"/", http.StatusTemporaryRedirect)
}

func nothing(w http.ResponseWriter, _ *http.Request) {
	problem(w, http.StatusNotFound, "functions are at /function/<name>")
}
