package rest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	swagger "github.com/swaggest/swgui/v5/static"
)

// document describes every REST path. It is made from the contract by `make generate`.
//
//go:embed openapi/openapi.json
var document []byte

// written by hand: the landing page, the frame of the viewer, and what both look like.
//
//go:embed pages
var handmade embed.FS

// pages are the few things a person reads in a browser. Everything comes from this binary; nothing is loaded from
// elsewhere, and no script stands in a page itself, so that the content security policy can forbid both.
type pages struct {
	files map[string]file // by name
}

// file is one thing to send, compressed when it is a large one.
type file struct {
	name    string
	kind    string // content type
	plain   []byte
	gzipped []byte // nil when it is not worth it
	etag    string
}

var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml", ".json": "application/json",
}

func newPages(version, base string) (*pages, error) {
	p := &pages{files: map[string]file{}}
	for _, name := range []string{"swagger-ui.css", "swagger-ui-bundle.js"} {
		if err := p.addGzipped(name); err != nil {
			return nil, fmt.Errorf("the OpenAPI viewer: %w", err)
		}
	}
	entries, err := handmade.ReadDir("pages")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		body, err := handmade.ReadFile(path.Join("pages", entry.Name()))
		if err != nil {
			return nil, err
		}
		p.add(entry.Name(), body)
	}
	page, err := template.New("landing").Parse(string(p.files["landing.html"].plain))
	if err != nil {
		return nil, err
	}
	var landing bytes.Buffer
	if err := page.Execute(&landing, struct{ Version, Base string }{version, base}); err != nil {
		return nil, err
	}
	p.add("landing.html", landing.Bytes())
	p.add("openapi.json", document)
	return p, nil
}

func (p *pages) add(name string, body []byte) {
	sum := sha256.Sum256(body)
	p.files[name] = file{name: name, kind: kinds[path.Ext(name)], plain: body, etag: `"` + hex.EncodeToString(sum[:8]) + `"`}
}

func (p *pages) addGzipped(name string) error {
	gzipped, err := fs.ReadFile(swagger.FS, name+".gz")
	if err != nil {
		return err
	}
	r, err := gzip.NewReader(bytes.NewReader(gzipped))
	if err != nil {
		return err
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	p.add(name, plain)
	f := p.files[name]
	f.gzipped = gzipped
	p.files[name] = f
	return nil
}

func (p *pages) landing(w http.ResponseWriter, r *http.Request) { p.serve(w, r, "landing.html") }

func (p *pages) docs(w http.ResponseWriter, r *http.Request) { p.serve(w, r, "docs.html") }

func (p *pages) openapi(w http.ResponseWriter, r *http.Request) { p.serve(w, r, "openapi.json") }

// asset serves what a page links to.
func (p *pages) asset(w http.ResponseWriter, r *http.Request) { p.serve(w, r, path.Base(r.URL.Path)) }

func (p *pages) serve(w http.ResponseWriter, r *http.Request, name string) {
	f, ok := p.files[name]
	if !ok {
		refuse(w, r, unknownPath())
		return
	}
	header := w.Header()
	header.Set("Content-Type", f.kind)
	header.Set("Content-Security-Policy", pagePolicy)
	header.Set("Cache-Control", "no-cache") // kept, and asked for again by ETag: an update shows at once
	header.Set("ETag", f.etag)
	body := f.plain
	if f.gzipped != nil {
		header.Add("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			header.Set("Content-Encoding", "gzip")
			body = f.gzipped
		}
	}
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(body))
}
