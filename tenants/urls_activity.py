"""What was done, on the operators' host."""

from django.urls import path

from tenants import views_activity as views

urlpatterns = [
    path("activity/", views.provider_activity, name="activity"),
    path("activity/activity.csv", views.provider_activity_csv, name="activity_csv"),
]
