package artifact

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// publicClient signs for the address in c.Public.
func publicClient(c Config) (*minio.Client, error) {
	if !strings.Contains(c.Public, "://") {
		return dial(c, c.Public, c.TLS)
	}
	u, err := url.Parse(c.Public)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("it must be like https://objects.example.com, without user and path")
	}
	return dial(c, u.Host, u.Scheme == "https")
}

// GetURL returns a URL by which anybody can read the object until it expires, after 7 days at most. Whoever holds it is let
// in: it is a secret, and belongs into no log.
func (s *Store) GetURL(ctx context.Context, key string, expires time.Duration) (string, error) {
	return s.presign(ctx, http.MethodGet, key, expires, nil, nil)
}

// DownloadURL is GetURL for people: the store answers with the media type, and has browsers save the file under name instead
// of showing it.
func (s *Store) DownloadURL(ctx context.Context, key, name, mediaType string, expires time.Duration) (string, error) {
	return s.presign(ctx, http.MethodGet, key, expires, url.Values{
		"response-content-type":        {mediaType},
		"response-content-disposition": {mime.FormatMediaType("attachment", map[string]string{"filename": name})},
	}, nil)
}

// PutURL returns a URL by which anybody can write the object until it expires, after 7 days at most.
func (s *Store) PutURL(ctx context.Context, key string, expires time.Duration) (string, error) {
	return s.presign(ctx, http.MethodPut, key, expires, nil, nil)
}

// PartURL returns a URL by which anybody can write one part of an upload, of exactly size bytes, until it expires or the
// upload ends. It is of no use afterwards: nobody can change the object that was made of the parts.
func (s *Store) PartURL(ctx context.Context, key, upload string, part int, size int64, expires time.Duration) (string, error) {
	return s.presign(ctx, http.MethodPut, key, expires, url.Values{"uploadId": {upload}, "partNumber": {strconv.Itoa(part)}},
		http.Header{"Content-Length": {strconv.FormatInt(size, 10)}})
}

func (s *Store) presign(ctx context.Context, method, key string, expires time.Duration, query url.Values, signed http.Header) (string, error) {
	err := checkKey(key)
	if err == nil {
		var u *url.URL
		if u, err = s.public.PresignHeader(ctx, method, s.bucket, key, expires, query, signed); err == nil {
			return u.String(), nil
		}
	}
	return "", fmt.Errorf("presign object %q: %w", key, cause(err))
}
