package cli

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A transfer moves content between files and the object store.
type transfer struct {
	api  *api.Client
	http *http.Client
	bars io.Writer
}

// plainHTTP trusts whom the platform's client trusts, and lets a transfer take its time.
func plainHTTP(c *api.Client) *http.Client {
	if c.HTTP == nil {
		return http.DefaultClient
	}
	return &http.Client{Transport: c.HTTP.Transport}
}

// Transfers are tried again: pauses grow, and what has been moved stays moved.
const (
	tries    = 5
	tryAgain = time.Second
)

// bar shows how far a transfer is, to people: nothing where the output is no terminal. What was moved earlier counts as done,
// so a rate would be nonsense; the bar shows none.
func (t *transfer) bar(size int64, what string) *progressbar.ProgressBar {
	f, ok := t.bars.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return progressbar.DefaultBytesSilent(size)
	}
	return progressbar.NewOptions64(size, progressbar.OptionSetWriter(t.bars), progressbar.OptionSetDescription(what), progressbar.OptionShowTotalBytes(true),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionOnCompletion(func() { fmt.Fprintln(t.bars) }))
}

func (t *transfer) upload(ctx context.Context, name string, in api.NewArtifact) (v api.Artifact, err error) {
	f, err := os.Open(name)
	if err != nil {
		return v, err
	}
	defer f.Close()
	if err := t.room(ctx, f, in.Owner); err != nil {
		return v, err
	}
	if in.SHA256, in.Size, err = t.sum(f); err != nil {
		return v, err
	}
	a, err := t.api.CreateArtifact(ctx, in)
	if err != nil {
		return v, err
	}
	if v = a.Artifact; a.Upload != nil {
		if err := t.send(ctx, f, a); err != nil {
			return v, fmt.Errorf("%w; run the same command again to go on", err)
		}
	}
	if v.State == api.ArtifactReady {
		return v, nil
	}
	b := t.bar(v.Size, "verifying")
	for {
		if v, err = t.api.CompleteArtifact(ctx, a.Artifact.ID); err != nil || v.State == api.ArtifactReady {
			if err == nil {
				_ = b.Finish() // a bar that cannot be drawn stops nothing
			}
			return v, err
		}
		_ = b.Set64(v.Verified)
	}
}

// room refuses, before it is read, what can never be stored. What there is room for now is the platform's to say, when the
// file is announced: it knows which upload this goes on with.
func (t *transfer) room(ctx context.Context, f *os.File, owner string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", f.Name())
	}
	if owner == "" {
		return nil
	}
	q, err := t.api.GetArtifactQuota(ctx, owner)
	if err == nil && info.Size() > q.MaxBytes {
		err = fmt.Errorf("%s has %d bytes; the quota of group %s is %d in all, so ask a maintainer for more", f.Name(), info.Size(), owner, q.MaxBytes)
	}
	return err
}

// sum reads the file once, to announce it.
func (t *transfer) sum(f *os.File) (sum string, size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	h := sha256.New()
	b := t.bar(info.Size(), "reading")
	size, err = io.Copy(io.MultiWriter(h, b), f)
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// send sends the parts that are missing or not the file's, until none is.
func (t *transfer) send(ctx context.Context, f io.ReaderAt, a api.Announced) error {
	b := t.bar(a.Artifact.Size, "sending")
	sent := map[int]bool{}
	for try := 1; ; try++ {
		err := t.round(ctx, f, a, sent, b)
		var p *api.Problem
		if err == nil || ctx.Err() != nil || try == tries || errors.As(err, &p) && p.Status < 500 {
			return err
		}
		if !pause.For(ctx, time.Duration(try)*tryAgain) {
			return ctx.Err()
		}
	}
}

// round goes through the parts once. What somebody sent before is kept only if its MD5 is that of the file: a store may have
// kept what a cut connection left, or the sender read a file that was changing.
func (t *transfer) round(ctx context.Context, f io.ReaderAt, a api.Announced, sent map[int]bool, b *progressbar.ProgressBar) error {
	var moved int64
	for cursor, more := "", true; more; more = cursor != "" {
		page, err := t.api.ListArtifactParts(ctx, a.Artifact.ID, cursor)
		if err != nil {
			return err
		}
		for _, p := range page.Items {
			content := io.NewSectionReader(f, int64(p.Number-1)*a.Upload.PartSize, p.Size)
			has := p.Done && sent[p.Number]
			if p.Done && !has {
				if has, err = same(content, p.MD5); err != nil {
					return err
				}
			}
			if !has {
				if err := t.put(ctx, p, content); err != nil {
					return fmt.Errorf("part %d of %d: %w", p.Number, a.Upload.Parts, err)
				}
				sent[p.Number] = true
			}
			moved += p.Size
			_ = b.Set64(moved)
		}
		cursor = page.Next
	}
	return nil
}

// same tells whether content has an MD5, and rewinds it. One that is not known is no content's.
func same(content io.ReadSeeker, sum string) (bool, error) {
	if sum == "" {
		return false, nil
	}
	h := md5.New()
	_, err := io.Copy(h, content)
	if err == nil {
		_, err = content.Seek(0, io.SeekStart)
	}
	return hex.EncodeToString(h.Sum(nil)) == sum, err
}

func (t *transfer) put(ctx context.Context, p api.ArtifactPart, content io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, p.URL, content)
	if err != nil {
		return hidden(err)
	}
	req.ContentLength = p.Size
	resp, err := t.http.Do(req)
	if err != nil {
		return hidden(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the object store answers %s", resp.Status)
	}
	return nil
}

// hidden is an error without the URL in it, which whoever reads it could use.
func hidden(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("the object store cannot be reached: %w", err)
}

// download writes an artifact to a file once its SHA-256 is right, and returns the file's name. What came in before an
// interruption lies beside it, and is gone on with.
func (t *transfer) download(ctx context.Context, id, to string, force bool) (string, error) {
	d, err := t.api.DownloadArtifact(ctx, id)
	if err != nil {
		return "", err
	}
	if to == "" {
		// The platform refuses such names; who holds another's word for a path has been warned.
		if to = filepath.Base(d.Name); to != d.Name || strings.HasPrefix(to, ".") {
			return "", fmt.Errorf("%q is no file name; name the file with -o", d.Name)
		}
	}
	if _, err := os.Lstat(to); err == nil && !force {
		return "", fmt.Errorf("%s %w; name another with -o, or give --force", to, errThere)
	}
	part := to + "." + d.SHA256[:min(8, len(d.SHA256))] + ".part"
	b := t.bar(d.Size, "receiving")
	for try := 1; ; try++ {
		err := t.receive(ctx, d, part, b)
		if err == nil {
			break
		}
		if ctx.Err() != nil || try == tries {
			return "", fmt.Errorf("%w; run the same command again to go on", err)
		}
		if !pause.For(ctx, time.Duration(try)*tryAgain) {
			return "", ctx.Err()
		}
		if d, err = t.api.DownloadArtifact(ctx, id); err != nil { // the URL may be over
			return "", err
		}
	}
	if err := verify(part, d.SHA256); err != nil {
		return "", errors.Join(err, os.Remove(part))
	}
	return to, os.Rename(part, to)
}

// receive fetches what is not in the file yet.
func (t *transfer) receive(ctx context.Context, d api.ArtifactDownload, part string, b *progressbar.ProgressBar) error {
	f, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	has := info.Size()
	_ = b.Set64(min(has, d.Size))
	if has >= d.Size {
		return f.Close()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL, nil)
	if err != nil {
		return hidden(err)
	}
	if has > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", has))
	}
	resp, err := t.http.Do(req)
	if err != nil {
		return hidden(err)
	}
	defer resp.Body.Close()
	if has == 0 && resp.StatusCode != http.StatusOK || has > 0 && resp.StatusCode != http.StatusPartialContent {
		return fmt.Errorf("the object store answers %s", resp.Status)
	}
	n, err := io.Copy(io.MultiWriter(f, b), io.LimitReader(resp.Body, d.Size-has))
	if err == nil && has+n < d.Size {
		err = io.ErrUnexpectedEOF
	}
	return errors.Join(err, f.Close())
}

func verify(name, want string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("what came in has SHA-256 %s, not %s; it was removed, download it again", got, want)
	}
	return nil
}
