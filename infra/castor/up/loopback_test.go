package up

import "testing"

func TestCallbacksOfANetworkStayOutOfIt(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:8080": true, "127.9.9.9:0": true, "[::1]:8080": true, "localhost:8080": true,
		":8080": false, "0.0.0.0:8080": false, "[::]:8080": false, "10.0.0.5:8080": false, "plant.example:8080": false,
	} {
		if got := loopback(address); got != want {
			t.Errorf("%s: callbacks to private addresses allowed: %v, want %v", address, got, want)
		}
	}
}
