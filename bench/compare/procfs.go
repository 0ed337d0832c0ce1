package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// parseSchedstat reads the first number of a schedstat file: the time that a thread has run.
func parseSchedstat(text string) (time.Duration, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return 0, errors.New("schedstat is empty")
	}
	n, err := strconv.ParseUint(words[0], 10, 63)
	if err != nil {
		return 0, fmt.Errorf("schedstat: %w", err)
	}
	return time.Duration(n), nil
}

// runTime adds up the time that all threads of a process and its descendants have run. Threads that end between two calls
// take their time with them; the servers here keep their threads.
func runTime(pid int) (time.Duration, error) {
	var sum time.Duration
	for _, p := range descendants(pid) {
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p))
		if err != nil {
			return 0, err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return 0, err
			}
			t, err := parseSchedstat(string(text))
			if err != nil {
				return 0, fmt.Errorf("%s: %w", file, err)
			}
			sum += t
		}
	}
	if sum == 0 {
		return 0, fmt.Errorf("process %d has no run time: the kernel needs CONFIG_SCHED_INFO", pid)
	}
	return sum, nil
}

// descendants returns a process and all that descend from it.
func descendants(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				continue // it has ended
			}
			for _, word := range strings.Fields(string(text)) {
				if child, err := strconv.Atoi(word); err == nil {
					all = append(all, child)
				}
			}
		}
	}
	return all
}

// parsePSS reads the proportional set size from smaps_rollup, in octets.
func parsePSS(text string) (int64, error) {
	scanner := bufio.NewScanner(strings.NewReader(text))
	for scanner.Scan() {
		words := strings.Fields(scanner.Text())
		if len(words) == 3 && words[0] == "Pss:" && words[2] == "kB" {
			n, err := strconv.ParseInt(words[1], 10, 50)
			return n << 10, err
		}
	}
	return 0, errors.New("smaps_rollup has no line Pss")
}

// memory adds up the proportional set sizes of a process and its descendants, in octets.
func memory(pid int) (int64, error) {
	var sum int64
	for _, p := range descendants(pid) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p))
		if err != nil {
			return 0, err
		}
		n, err := parsePSS(string(text))
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
