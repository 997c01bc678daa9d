package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/metrics"
)

// What a platform counts tells much about it: it is for who runs it.
func TestMetricsAreForWhoManages(t *testing.T) {
	c := config()
	c.Metrics = metrics.Handler()
	url := serve(t, c)
	if r, body := send(t, "GET", url+"/metrics", ""); r.StatusCode != http.StatusUnauthorized || strings.Contains(body, "castor_") {
		t.Errorf("without a password: %d", r.StatusCode)
	}
	send(t, "GET", url+"/function/echo", "")
	r, body := send(t, "GET", url+"/metrics", "", "Authorization", admin)
	if want := `castor_gateway_requests_total{function="echo",status="2xx"}`; r.StatusCode != http.StatusOK || !strings.Contains(body, want) {
		t.Errorf("with the password: %d; %s is there: %v", r.StatusCode, want, strings.Contains(body, want))
	}
	if r, _ := send(t, "GET", serve(t, config())+"/metrics", "", "Authorization", admin); r.StatusCode != http.StatusNotFound {
		t.Errorf("of a gateway that shows none: %d", r.StatusCode)
	}
}
