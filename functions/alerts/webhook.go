package alerts

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/platform"
)

// validWebhook checks the form of a webhook's URL. Where its name leads is checked when it is dialled.
func (f *function) validWebhook(s string) error {
	return platform.CheckWebhook(s, f.p.AllowPrivateWebhooks)
}

// call posts d to the route's webhook: signed, without following redirects, and with what comes back bounded.
func (f *function) call(ctx context.Context, d *delivery, r *route) error {
	secret, err := f.p.Unseal(sealOf(r.ID), r.Sealed)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.Webhook, bytes.NewReader(d.Body))
	if err != nil {
		return fmt.Errorf("%w: %w", errForGood, err)
	}
	now := f.p.Time()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "castor-alerts")
	req.Header.Set(api.HeaderDelivery, d.ID)
	req.Header.Set(api.HeaderSignature, platform.SignWebhook(secret, now, d.Body))
	resp, err := platform.WebhookClient(attemptFor, f.p.AllowPrivateWebhooks).Do(req)
	if err != nil {
		return platform.ToldOf(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 4096))
	switch {
	case resp.StatusCode == http.StatusGone:
		return fmt.Errorf("%w: the receiver answered 410 Gone", errForGood)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return fmt.Errorf("the receiver answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return nil
}
