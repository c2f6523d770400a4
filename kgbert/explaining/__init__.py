"""Why a triple has its score: what was read, what each text does, who else fits, what is near."""
