package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// maxQueryAnswer bounds the answer to one query, which is one number.
const maxQueryAnswer = 256 << 10

// queryPath is the place of instant queries in Prometheus' HTTP API, which others speak, too.
const queryPath = "/api/v1/query"

// errQuery is an answer of Prometheus that tells no number: it says nothing about its other answers.
type errQuery struct{ error }

func (e errQuery) Unwrap() error { return e.error }

// prometheus asks one query for each field and each custom metric, one after the other.
func (r *Reader) prometheus(ctx context.Context, src *config.LoadSource) (Reading, error) {
	out := Reading{Parts: make([]Part, len(src.Custom))}
	found := 0
	ask := func(query string, take func(float64)) error {
		value, err := r.query(ctx, src, query)
		if missing, ok := errors.AsType[errQuery](err); ok {
			out.missing(missing.error)
			return nil
		}
		if err == nil {
			take(value)
			found++
		}
		return err
	}
	for _, f := range fieldsOf(src) {
		if err := ask(f.path, func(v float64) { out.tell(f.metric, v*f.factor, "result of "+reason.Quote(f.path)) }); err != nil {
			return Reading{}, err
		}
	}
	for _, i := range customPaths(src) {
		query := src.Custom[i].Path
		if err := ask(query, func(v float64) { out.part(i, v, "result of "+reason.Quote(query)) }); err != nil {
			return Reading{}, err
		}
	}
	return out.orNothing(found)
}

// query asks one instant query.
func (r *Reader) query(ctx context.Context, src *config.LoadSource, query string) (float64, error) {
	address, err := url.Parse(src.URL)
	if err != nil {
		return 0, withoutURL(err)
	}
	if !strings.HasSuffix(address.Path, queryPath) {
		address.Path = strings.TrimSuffix(address.Path, "/") + queryPath
	}
	values := address.Query()
	values.Set("query", query)
	address.RawQuery = values.Encode()
	var value float64
	err = r.ask(ctx, src, address.String(), maxQueryAnswer, func(status int, body io.Reader) (err error) {
		value, err = readQuery(status, body, query)
		return err
	})
	return value, err
}

// queryAnswer is the envelope of the API, which comes with errors, too.
type queryAnswer struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Data   struct {
		Type   string          `json:"resultType"`
		Result json.RawMessage `json:"result"`
	} `json:"data"`
}

// queryValue is a time and a number in quotes.
type queryValue [2]any

func readQuery(status int, body io.Reader, query string) (float64, error) {
	document, err := io.ReadAll(body)
	if err != nil {
		return 0, err
	}
	var a queryAnswer
	err = json.Unmarshal(document, &a)
	switch {
	case err == nil && a.Status == "error" && status >= http.StatusBadRequest && status < http.StatusInternalServerError && status != http.StatusUnauthorized && status != http.StatusForbidden:
		return 0, errQuery{fmt.Errorf("query %s: %s", reason.Quote(query), reason.Printable(a.Error))}
	case status != http.StatusOK:
		return 0, fmt.Errorf("status %d, want 200", status)
	case err != nil || a.Status != "success":
		return 0, fmt.Errorf("answer is not one of Prometheus' query API but starts with %s", reason.Quote(firstLine(document)))
	}
	var value queryValue
	switch a.Data.Type {
	case "scalar":
		err = json.Unmarshal(a.Data.Result, &value)
	case "vector":
		var series []struct {
			Value queryValue `json:"value"`
		}
		if err = json.Unmarshal(a.Data.Result, &series); err == nil && len(series) != 1 {
			return 0, errQuery{fmt.Errorf("query %s gives %d series, want 1: put sum() or the like around it", reason.Quote(query), len(series))}
		}
		if err == nil {
			value = series[0].Value
		}
	default:
		return 0, errQuery{fmt.Errorf("query %s gives a %s, want one number", reason.Quote(query), reason.Printable(a.Data.Type))}
	}
	text, ok := value[1].(string)
	if err != nil || !ok {
		return 0, fmt.Errorf("result of query %s is not a number", reason.Quote(query))
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(number) || math.IsInf(number, 0) || number < 0 {
		return 0, errQuery{fmt.Errorf("query %s gives %s, want a number from 0", reason.Quote(query), reason.Quote(text))}
	}
	return number, nil
}
