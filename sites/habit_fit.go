package sites

// doubtful is how many reports may tell the same by chance: what no more than so many tell is not believed.
const doubtful = 3

// fit is a line through zero, fitted to what reports told, the latest the most.
type fit struct {
	square, along float64 // sums of x², x·y
	scatter       float64 // sum of (x·y)² by the weights squared
}

func (f *fit) take(x, y float64) {
	f.square = f.square*habitMemory + x*x
	f.along = f.along*habitMemory + x*y
	f.scatter = f.scatter*habitMemory*habitMemory + x*y*x*y
}

// certainty is how much of the slope is believed, from 0 to 1. along²/scatter is the square of the slope by its standard error
// if there were nothing to it (White's, which holds however unequal the changes are); n reports bring it to n at most, and one that
// outweighs all others to 1.
func (f *fit) certainty() float64 {
	if f.along == 0 {
		return 0
	}
	return max(0, 1-doubtful*f.scatter/(f.along*f.along))
}
