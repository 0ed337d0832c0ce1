package api

import (
	"context"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"fairlead/api/resource"
)

// Media types of documents and objects.
const (
	typeJSON      = "application/json"
	typeYAML      = "application/yaml"
	typePatch     = "application/merge-patch+json"
	typeOctets    = "application/octet-stream"
	typeZoneFile  = "text/dns"
	typeMultipart = "multipart/form-data"
)

type acceptKey struct{}

// keepAccept keeps the Accept header for resources that have more than one representation. All others have one, which is sent whatever the client
// prefers (RFC 9110 section 12.4.1).
func keepAccept(req *http.Request) *http.Request {
	accept := strings.Join(req.Header.Values("Accept"), ",")
	req.Header.Del("Accept")
	return req.WithContext(context.WithValue(req.Context(), acceptKey{}, accept))
}

// wantsYAML reports whether the client rather has YAML than JSON.
func wantsYAML(ctx context.Context) bool {
	accept, _ := ctx.Value(acceptKey{}).(string)
	best, yaml := 0.0, false
	for _, part := range strings.Split(accept, ",") {
		media, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		q := 1.0
		if text, said := params["q"]; said {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		if isYAML(media) && q > best {
			best, yaml = q, true
		} else if (media == typeJSON || media == "*/*" || media == "application/*") && q > best {
			best, yaml = q, false
		}
	}
	return yaml
}

func isYAML(media string) bool {
	switch media {
	case typeYAML, "application/x-yaml", "text/yaml", "text/x-yaml":
		return true
	}
	return false
}

// textMedia refuses a body that is declared to be something else than JSON or YAML. One that is not declared is YAML, of which JSON is a part. form
// reports that it is a form of several parts.
func textMedia(contentType string, patch, forms bool) (form bool, err error) {
	if contentType == "" {
		return false, nil
	}
	media, _, parseErr := mime.ParseMediaType(contentType)
	switch {
	case parseErr == nil && (media == typeJSON || isYAML(media) || patch && media == typePatch):
		return false, nil
	case parseErr == nil && forms && media == typeMultipart:
		return true, nil
	}
	takes := typeJSON + " or " + typeYAML
	if patch {
		takes = typePatch
	}
	return false, newProblem(http.StatusUnsupportedMediaType, resource.Fault{Pointer: "/header/Content-Type", Code: resource.CodeMediaType,
		Detail: "the body is declared as " + echo(contentType) + "; send Content-Type: " + takes})
}
