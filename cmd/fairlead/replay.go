package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/api/client"
	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/config/geodata"
	"fairlead/internal/node"
	"fairlead/internal/replay"
)

// maxStatusBytes bounds a file with services.
const maxStatusBytes = 64 << 20

// replayFlags are the flags of replay.
type replayFlags struct {
	api                              apiFlags
	log, document, candidate, status string
	node                             string
	maxShift                         string
	most                             float64 // maxShift as a share
}

func newReplay() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay --log FILE --candidate FILE",
		Short: "Show which answers to recorded queries a new document would change",
		Long: `Replay answers the queries of a query log or a dnstap file from two documents, and prints how many answers change, where
clients go, and which queries fail that do not fail now. Probabilities are compared, not single answers, so a rotation
that is as it was is no change (docs/whatif.md).

All services are UP unless --status says otherwise. Without --document the running node is asked for the document that it serves.

Exit codes: 0 within --max-shift, and nothing fails that did not; 1 above it, or something does; 2 usage, or a file that
cannot be read; 6 no node answers. Files are looked at before a node is asked.`,
		Example: "  fairlead replay --log queries.json --candidate new.yaml --document current.yaml --max-shift 5%\n" +
			"  fairlead replay --log tap.fstrm --candidate new.yaml --status 127.0.0.1:8053 -o json",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runReplay(cmd, &f) },
	}
	f.api.add(cmd)
	cmd.Flags().StringVar(&f.log, "log", "", "query log or dnstap file; - is standard input")
	cmd.Flags().StringVar(&f.candidate, "candidate", "", "the document that might be served")
	cmd.Flags().StringVar(&f.document, "document", "", "the document that is served (default: the node's)")
	cmd.Flags().StringVar(&f.status, "status", "", "states of services: a node's API address, or a file with its /v1/status/services")
	cmd.Flags().StringVar(&f.node, "node", "", "a node file: its location files say where clients are (default: the document's locations alone)")
	cmd.Flags().StringVar(&f.maxShift, "max-shift", "5%", "share of answers that may change")
	_ = cmd.MarkFlagRequired("log")
	_ = cmd.MarkFlagRequired("candidate")
	return cmd
}

func runReplay(cmd *cobra.Command, f *replayFlags) error {
	var err error
	if f.most, err = readShare(f.maxShift); err != nil {
		return err
	}
	if err := f.readable(); err != nil {
		return err
	}
	candidateDocument, err := f.read(cmd, f.candidate)
	if err != nil {
		return err
	}
	geo, err := f.located(cmd)
	if err != nil {
		return err
	}
	believed, err := f.believed(cmd.Context())
	if err != nil {
		return err
	}
	nowDocument, err := f.current(cmd)
	if err != nil {
		return err
	}
	at := time.Now()
	now, err := replay.NewWorld(nowDocument, geo, believed, at)
	if err != nil {
		return exit(exitUsage, fmt.Errorf("compile %q: %w", cmp.Or(f.document, servedName), err))
	}
	candidate, err := replay.NewWorld(candidateDocument, geo, believed, at)
	if err != nil {
		return exit(exitUsage, fmt.Errorf("compile %q: %w", f.candidate, err))
	}
	queries, err := f.queries(cmd)
	if err != nil {
		return exit(exitUsage, err)
	}
	report, err := replay.Compare(cmd.Context(), queries, now, candidate)
	if err != nil {
		return exit(exitFailed, err)
	}
	if f.api.output == "json" {
		err = printJSON(cmd.OutOrStdout(), report)
	} else {
		err = printReplay(cmd.OutOrStdout(), report)
	}
	switch {
	case err != nil:
		return err
	case report.NewFailures > 0:
		return exit(exitFailed, fmt.Errorf("%s of the queries fail with the candidate and do not now", percent(report.NewFailures)))
	case report.Shift > f.most:
		return exit(exitFailed, fmt.Errorf("%s of the answers change; --max-shift allows %s", percent(report.Shift), percent(f.most)))
	}
	return nil
}

// readShare reads 5% or 0.05.
func readShare(text string) (float64, error) {
	number, inPercent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if inPercent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, usagef("--max-shift %q is not a share such as 5%%, at most 100%%", text)
	}
	return v, nil
}

// readable tells of every file that was named and cannot be read, before a node is asked for anything.
func (f *replayFlags) readable() error {
	var faults []error
	for _, named := range []struct{ flag, path string }{{"log", f.log}, {"candidate", f.candidate}, {"document", f.document}, {"node", f.node}} {
		if named.path == "" || named.flag == "log" && named.path == "-" {
			continue
		}
		if err := openable(named.path); err != nil {
			faults = append(faults, fmt.Errorf("--%s: %w", named.flag, err))
		}
	}
	if _, err := client.New(f.status); f.status != "" && err != nil {
		if openable(f.status) != nil {
			faults = append(faults, f.neither(err))
		}
	}
	if faults == nil {
		return nil
	}
	return exit(exitUsage, errors.Join(faults...))
}

// openable returns why a file cannot be read.
func openable(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a directory", path)
	}
	return nil
}

// neither is the error of a --status that no file has, and no node.
func (f *replayFlags) neither(err error) error {
	return usagef("--status %q is neither a file nor an API address: %w", f.status, err)
}

// believed returns the states of services; nil: none are known.
func (f *replayFlags) believed(ctx context.Context) ([]resource.Service, error) {
	if f.status == "" {
		return nil, nil
	}
	if info, err := os.Stat(f.status); err == nil && info.Mode().IsRegular() {
		file, err := os.Open(f.status)
		if err != nil {
			return nil, exit(exitUsage, err)
		}
		defer file.Close()
		var list resource.ServiceList
		if err := json.NewDecoder(io.LimitReader(file, maxStatusBytes)).Decode(&list); err != nil {
			return nil, exit(exitUsage, fmt.Errorf("read services of %q: %w", f.status, err))
		}
		return list.Services, nil
	}
	c, err := client.New(f.status)
	if err != nil {
		return nil, f.neither(err)
	}
	list, err := c.Services(ctx, client.ServiceFilter{})
	if err != nil {
		return nil, apiError(err)
	}
	return list.Services, nil
}

// located reads the location files of the node file; nil: there are none.
func (f *replayFlags) located(cmd *cobra.Command) (*geodata.Table, error) {
	if f.node == "" {
		return nil, nil
	}
	c, report, err := config.LoadNode(f.node)
	if err != nil {
		return nil, exit(exitUsage, err)
	}
	if report.Errors() > 0 {
		return nil, refused(cmd, report)
	}
	files := node.GeoFiles(&c.GeoIP)
	if len(files) == 0 {
		return nil, nil
	}
	table, err := geodata.Load(cmd.Context(), files)
	if err != nil {
		return nil, exit(exitUsage, err)
	}
	return table, nil
}

// refused prints what is wrong with a file.
func refused(cmd *cobra.Command, problems *config.Report) error {
	var text bytes.Buffer
	_ = problems.Render(&text, colorful(cmd.ErrOrStderr()))
	fmt.Fprint(cmd.ErrOrStderr(), text.String())
	return exit(exitUsage, nil)
}

// read reads a document.
func (f *replayFlags) read(cmd *cobra.Command, path string) (*config.Document, error) {
	source, err := config.ReadSource(path)
	if err != nil {
		return nil, exit(exitUsage, err)
	}
	return parsed(cmd, source)
}

func parsed(cmd *cobra.Command, source config.Source) (*config.Document, error) {
	document, problems := config.Parse(source)
	if problems.Errors() > 0 {
		return nil, refused(cmd, problems)
	}
	return document, nil
}

func (f *replayFlags) queries(cmd *cobra.Command) (*replay.Queries, error) {
	if f.log == "-" {
		return replay.Read(cmd.Context(), cmd.InOrStdin())
	}
	file, err := os.Open(f.log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	queries, err := replay.Read(cmd.Context(), file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.log, err))
	}
	return queries, nil
}

func printReplay(w io.Writer, r *replay.Report) error {
	fmt.Fprintf(w, "%d queries of %d kinds: %s of the answers change, %s of the queries fail that do not fail now\n",
		r.Queries, r.Kinds, percent(r.Shift), percent(r.NewFailures))
	rows := [][]string{{"SITE", "NOW", "", "CANDIDATE"}}
	for _, site := range slices.Sorted(maps.Keys(r.Sites)) {
		rows = append(rows, []string{site, percent(r.Sites[site].Before), "->", percent(r.Sites[site].After)})
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Failures)) {
		rows = append(rows, []string{"(" + kind + ")", percent(r.Failures[kind].Before), "->", percent(r.Failures[kind].After)})
	}
	if err := table(w, "  ", rows...); err != nil {
		return err
	}
	if r.Scope.Queries > 0 {
		fmt.Fprintf(w, "scope of %d queries with a client subnet: /%.1f -> /%.1f on average\n", r.Scope.Queries, r.Scope.MeanBits.Before, r.Scope.MeanBits.After)
	}
	if len(r.Moved) > 0 {
		rows = [][]string{{"NAME", "TYPE", "QUERIES", "CHANGED", "NEW FAILURES"}}
		for _, m := range r.Moved {
			rows = append(rows, []string{m.Name, m.Type, strconv.FormatUint(m.Queries, 10), percent(m.Shift), percent(m.NewFailures)})
		}
		if err := table(w, "  ", rows...); err != nil {
			return err
		}
	}
	for _, n := range []struct {
		n    uint64
		text string
	}{{r.LeftOut, "queries of further kinds were left out"}, {r.Unreadable, "entries could not be read"}, {r.Other, "entries have no question"}} {
		if n.n > 0 {
			fmt.Fprintf(w, "note: %d %s\n", n.n, n.text)
		}
	}
	if r.Cut {
		fmt.Fprintln(w, "note: the log ends in the middle of an entry")
	}
	return nil
}
