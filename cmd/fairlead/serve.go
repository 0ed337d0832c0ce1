package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"fairlead/config"
	"fairlead/internal/node"
)

func newServe() *cobra.Command {
	var file string
	var drain time.Duration
	cmd := &cobra.Command{
		Use:   "serve -f NODE.yaml",
		Short: "Run one site: DNS, monitors, the exchange with other sites, and the API",
		Long: `Serve runs one site from a node file until it is told to stop.

Signals: TERM and INT tell the other sites that this one leaves, keep answering for --drain, and exit 0; a second one
exits at once. HUP reads a followed document (config.follow), location files, tokens, cookie secrets and certificates again, and begins
new log files; what is wrong is told, and what was in use stays.`,
		Example: "  fairlead serve -f /etc/fairlead/node.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if drain < 0 {
				return usagef("--drain %v is negative", drain)
			}
			return runServe(cmd, file, drain)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "node file")
	cmd.Flags().DurationVar(&drain, "drain", 5*time.Second, "how long to keep answering after the signal to stop")
	if err := cmd.MarkFlagRequired("file"); err != nil {
		panic(err) // the flag is three lines above
	}
	return cmd
}

func runServe(cmd *cobra.Command, file string, drain time.Duration) error {
	stderr := cmd.ErrOrStderr()
	c, report, err := config.LoadNode(file)
	if err != nil {
		return exit(exitUsage, err)
	}
	if c == nil {
		if err := report.Render(stderr, colorful(stderr)); err != nil {
			return exit(exitFailed, err)
		}
		return exit(exitFailed, nil)
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // from here on a HUP does not end the process
	defer signal.Stop(hangup)
	log := newLogger(c.Log, zapcore.AddSync(stderr))
	for _, p := range append(report.Problems(), config.CheckNodeFiles(c).Problems()...) {
		if p.Severity == config.SeverityWarning { // what is an error in a file, New says
			log.Warn("config.warning", zap.String("problem", p.String()))
		}
	}
	n, err := node.New(node.Options{Config: c, File: absolute(file), Drain: drain, Version: version(), Logger: log})
	if err != nil {
		return exit(exitFailed, withDoctor(err, file))
	}
	ctx := cmd.Context()
	if err := n.Listen(ctx); err != nil && ctx.Err() != nil { // it was told to stop before it had begun
		if err := n.Close(); err != nil {
			return exit(exitFailed, err)
		}
		log.Info("node.stopped")
		return nil
	} else if err != nil {
		return exit(exitFailed, withDoctor(errors.Join(err, n.Close()), file))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go reloadOn(ctx, hangup, n)
	if err := n.Run(ctx); err != nil {
		return exit(exitFailed, fmt.Errorf("serve: %w", err))
	}
	log.Info("node.stopped")
	return nil
}

// withDoctor says what looks closer at why a node does not start.
func withDoctor(err error, file string) error {
	return fmt.Errorf("%w\nto see what else is wrong, and what to do: fairlead doctor --config %s", err, file)
}

// absolute is a path that means the same wherever it is read.
func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

// reloadOn reads the followed document again at each signal. What was wrong is in the log and the status.
func reloadOn(ctx context.Context, hangup <-chan os.Signal, n *node.Node) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			_ = n.Reload()
		}
	}
}

func newLogger(c config.NodeLog, out zapcore.WriteSyncer) *zap.Logger {
	level, err := zapcore.ParseLevel(string(c.Level))
	if err != nil {
		level = zapcore.InfoLevel // the words were checked with the node file
	}
	ec := zap.NewProductionEncoderConfig()
	ec.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	ec.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(ec)
	if c.Format == "console" {
		ec.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		ec.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(ec)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(out), level))
}
