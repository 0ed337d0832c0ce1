package secret

// judgesModes: what is in a file's mode says nothing of who may open it.
const judgesModes = false
