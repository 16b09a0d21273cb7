"""Takes over the tables of django-wfe 1.x. Only the migrations use it; like them it imports no model."""
