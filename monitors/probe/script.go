package probe

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"fairlead/config"
	"fairlead/monitors/reason"
	"fairlead/monitors/script"
)

// scriptStage is where a script's time runs out.
const scriptStage reason.Stage = "while the program ran"

// askScript runs a program and goes by its exit code. It connects by itself: the target is judged before.
func (x *exchange) askScript() error {
	s := x.monitor.Script
	if s == nil || len(s.Command) == 0 {
		return errors.New("no program to run: set script.command of the monitor")
	}
	if x.opts.Scripts == nil {
		return errors.New("this node runs no scripts")
	}
	to := x.target.Endpoint(0)
	if err := x.opts.Allowed("tcp", to); err != nil {
		return err
	}
	about := scriptFacts(&x.target)
	command := script.Command{Argv: []string{s.Command[0]}, Environment: s.Environment}
	var pairs []string
	for _, fact := range about {
		pairs = append(pairs, "{"+fact.name+"}", fact.value)
		command.Variables = append(command.Variables, "FAIRLEAD_"+strings.ToUpper(fact.name)+"="+fact.value)
	}
	filled := strings.NewReplacer(pairs...)
	for _, argument := range s.Command[1:] {
		command.Argv = append(command.Argv, filled.Replace(argument))
	}
	out, err := x.opts.Scripts.Run(x.ctx, command)
	if err != nil {
		return reason.During(scriptStage, err)
	}
	x.answered()
	x.step("exit", strconv.Itoa(out.Code))
	for _, v := range out.Values {
		x.value(Value(v))
	}
	return x.judgeScript(s, out)
}

// judgeScript makes a result of an exit code. UNKNOWN, and codes that plugins do not have, say nothing of the service: reverse does
// not turn them round.
func (x *exchange) judgeScript(s *config.ScriptProbe, out script.Outcome) error {
	says := out.Line
	if says == "" {
		says = "exit code " + strconv.Itoa(out.Code)
	}
	switch {
	case out.Code > script.Critical || out.Code < script.OK:
		if out.Line == "" {
			return errors.New(says)
		}
		return fmt.Errorf("exit code %d: %s", out.Code, says)
	case x.text([]byte(out.Line)):
		return nil
	case out.Code == script.Critical, out.Code == script.Warning && s.Warning == config.WarningDown:
		return unlike("%s", says)
	case out.Code == script.Warning && s.Warning == config.WarningDrain:
		x.drain = true
	}
	x.passes("%s", says)
	return nil
}

type scriptFact struct{ name, value string }

// scriptFacts is what a program is told of its target: in arguments as {name}, in its environment as FAIRLEAD_NAME.
func scriptFacts(t *Target) []scriptFact {
	to := t.Endpoint(0)
	family := "6"
	if to.Addr().Unmap().Is4() {
		family = "4"
	}
	return []scriptFact{
		{"address", to.Addr().String()}, {"port", strconv.Itoa(int(to.Port()))}, {"family", family},
		{"service", t.Service}, {"monitor", t.Monitor.Name},
	}
}
