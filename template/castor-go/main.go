// Command handler serves one function behind of-watchdog in HTTP mode. It is compiled inside the image, where the Dockerfile
// has put the function's folder at "function" below the root of the one module.
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/castor-iot/castor/function"
	handler "github.com/openfaas/templates-sdk/go-http"
)

const maxBody = 32 << 20

func main() {
	s := &http.Server{Addr: "127.0.0.1:8082", Handler: http.HandlerFunc(serve), ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	go func() {
		<-ctx.Done()
		c, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		s.Shutdown(c)
	}()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	// The path below the function's URL is what of-watchdog passes on; a caller cannot set this header.
	r.Header.Set("X-Castor-Path", r.URL.EscapedPath())
	req := handler.Request{Body: body, Header: r.Header, Method: r.Method, QueryString: r.URL.RawQuery, Host: r.Host}
	req.WithContext(r.Context())
	resp, err := function.Handle(req)
	if err != nil {
		log.Print(err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	if resp.StatusCode == 0 {
		resp.StatusCode = http.StatusOK
	}
	w.WriteHeader(resp.StatusCode)
	w.Write(resp.Body)
}
